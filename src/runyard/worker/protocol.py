"""What a worker needs of a client: the seam to a home on this machine, or later to a server by URL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from runyard.artifacts import ArtifactStore
from runyard.client.reservations import Reservations
from runyard.journal import Home
from runyard.queue import Queue
from runyard.records import RunSpec


class ProgressView(Protocol):
    """How far a run is."""

    @property
    def done(self) -> float: ...

    @property
    def total(self) -> float: ...

    @property
    def label(self) -> str: ...

    @property
    def last_at(self) -> datetime: ...

    @property
    def remaining_s(self) -> float | None: ...


class RunView(Protocol):
    """A run as the index shows it."""

    @property
    def name(self) -> str: ...

    @property
    def state(self) -> str: ...

    @property
    def progress(self) -> ProgressView | None: ...

    @property
    def attempt_started_at(self) -> datetime | None: ...

    @property
    def duration_s(self) -> float | None: ...


class IndexView(Protocol):
    """The part of the index that a worker reads, for its live table and for estimates only."""

    def get(self, run_id: str) -> RunView:
        """One run; raises NotFound."""
        ...

    def find(self, query: str | None, *, limit: int | None = None) -> Sequence[RunView]:
        """The newest runs that fit the query."""
        ...

    def count(self, query: str | None = None) -> int:
        """How many runs fit the query."""
        ...


class WorkerClient(Protocol):
    """The one door to runs and queue. It is called by one thread; any call may fail for a while."""

    @property
    def home(self) -> Home: ...

    @property
    def artifacts(self) -> ArtifactStore: ...

    @property
    def queue(self) -> Queue: ...

    @property
    def reservations(self) -> Reservations: ...

    @property
    def index(self) -> IndexView: ...

    def spec(self, run_id: str) -> RunSpec:
        """What was asked for; raises a RunyardError where that cannot be read."""
        ...

    def receive(self, run_id: str) -> RunSpec:
        """What was asked for, with a folder to execute it in; raises a RunyardError where that cannot be read."""
        ...

    def settle(self, run_id: str) -> object:
        """Make the queue agree with the journals of a run; safe at any time."""
        ...

    def reap(self, now: float) -> list[str]:
        """Settle attempts whose supervisor is gone."""
        ...

    def request_stop(self, run_id: str, *, why: str = "") -> str:
        """Ask a run to stop; raises RunFinished."""
        ...
