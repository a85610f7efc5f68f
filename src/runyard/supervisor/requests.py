"""Stop requests: what people write into a run's edits while it runs."""

from pathlib import Path

from runyard.journal.events import StopRequested
from runyard.supervisor.streams import Follower


class StopRequests:
    """Looks for a request to stop one attempt. Most runs have no edits, so the usual look is one `stat`."""

    def __init__(self, edits: Path, *, attempt: int) -> None:
        self._follower = Follower(edits)
        self._attempt = attempt

    def look(self) -> StopRequested | None:
        """The first request that came since the last look."""
        for event in self._follower.read_all():
            if isinstance(event, StopRequested) and event.attempt == self._attempt:
                return event
        return None
