"""Stop requests: what people write into a run's edits while it runs."""

from pathlib import Path

from runyard.journal.events import Requeued, StopRequested
from runyard.supervisor.streams import Follower

_WHILE_WAITING = 0  # the run was cancelled in the moment in which this attempt was starting


class StopRequests:
    """Looks for a request to stop one attempt. Most runs have no edits, so the usual look is one `stat`."""

    def __init__(self, edits: Path, *, attempt: int) -> None:
        self._follower = Follower(edits)
        self._attempt = attempt

    def look(self) -> StopRequested | None:
        """A request that came since the last look and that nobody has taken back by asking for another try."""
        pending = None
        for event in self._follower.read_all():
            if isinstance(event, Requeued):
                pending = None
            elif isinstance(event, StopRequested) and event.attempt in (self._attempt, _WHILE_WAITING):
                pending = event
        return pending
