"""What the processes of an attempt write, followed as it arrives: files on their way, their end, runs below it."""

from collections.abc import Callable

from runyard.journal import MAIN, Attempt, JournalWriter
from runyard.journal.events import AnyEvent, ChildBegan, Failed, FileLogged, Finished, Opened, StopObeyed
from runyard.supervisor.delivery import Delivery
from runyard.supervisor.endings import Closing
from runyard.supervisor.files import LoggedFiles
from runyard.supervisor.streams import Follower


class Followed:
    """One attempt.

    Attributes:
        files: what was logged as a file, on its way into the store.
        rank_pids: processes of a distributed training.
        on_child: told of each run that a process of this one began below it.
    """

    def __init__(
        self, attempt: Attempt, *, journal: JournalWriter, delivery: Delivery, on_child: Callable[[ChildBegan], object]
    ) -> None:
        self.files = LoggedFiles(attempt, journal=journal, delivery=delivery)
        self.rank_pids: set[int] = set()
        self._on_child = on_child
        self._attempt = attempt
        self._followers: dict[str, Follower] = {}
        self._closing: dict[str, Closing] = {}  # what each stream said last about its end

    @property
    def created_ns(self) -> int | None:
        """When the main process began, in nanoseconds since 1970; None until its journal was read."""
        main = self._followers.get(MAIN)
        return main.created_ns if main else None

    @property
    def has_closed(self) -> bool:
        """Whether the main process has told its end."""
        return MAIN in self._closing

    @property
    def closing(self) -> Closing | None:
        """What was said of the end: by the main process, else by another one that failed."""
        failed = next((event for event in self._closing.values() if isinstance(event, Failed)), None)
        return self._closing.get(MAIN) or failed

    def look(self) -> None:
        """Take in the next piece of each journal."""
        for stream in self._attempt.streams():
            if stream not in self._followers and _is_of_training(stream):
                self._followers[stream] = Follower(self._attempt.journal(stream))
        for stream, follower in self._followers.items():
            for event in follower.read():
                self._note(stream, event)

    def read_all(self) -> None:
        """Take in all that is there: no process of the attempt writes any more."""
        self.look()
        for stream, follower in self._followers.items():
            for event in follower.read_all():
                self._note(stream, event)

    def _note(self, stream: str, event: AnyEvent) -> None:
        match event:
            case Finished() | Failed() | StopObeyed():
                self._closing[stream] = event
            case FileLogged():
                self.files.add(event)
            case ChildBegan():
                self._on_child(event)
            case Opened() if stream.startswith("rank"):
                self.rank_pids.add(event.pid)
            case _:
                pass


def _is_of_training(stream: str) -> bool:
    return stream == MAIN or stream.startswith(("main-", "rank"))
