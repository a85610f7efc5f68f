"""What a supervisor needs of a client: the seam to a home on this machine, or later to a server by URL."""

from pathlib import Path
from typing import Protocol

from runyard.journal.events import Ended


class FileKeeper(Protocol):
    """Where logged files go, by content."""

    def put_file(self, path: Path) -> str:
        """Store a file and return its SHA-256; the file itself is left alone."""
        ...

    def put_bytes(self, data: bytes) -> str:
        """Store bytes and return their SHA-256."""
        ...


class SupervisorClient(Protocol):
    """The one door to index and queue.

    It is called by one thread. Any call may fail for a while (a locked database, a full disk, a server
    that is away) and is then tried again; only LeaseLost means something for the run.
    """

    @property
    def artifacts(self) -> FileKeeper: ...

    def offset(self, run_id: str, attempt: int, stream: str) -> int:
        """How many bytes of a stream have arrived."""
        ...

    def deliver(self, run_id: str, attempt: int, stream: str, offset: int, data: bytes) -> int:
        """Hand over bytes of a stream, exactly once however often it is tried; return the new offset.

        An incomplete record at the end is left for the next call.
        """
        ...

    def heartbeat(self, run_id: str, worker_id: str, attempt: int) -> None:
        """Keep the lease.

        Raises:
            LeaseLost: somebody else has it by now.
        """
        ...

    def attempt_ended(self, run_id: str, attempt: int, ended: Ended) -> None:
        """Settle the queue after an attempt; safe to call again."""
        ...

    def close(self) -> None:
        """Nothing more comes."""
        ...
