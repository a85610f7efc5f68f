"""What a supervisor needs of a client: the seam to a home on this machine, or later to a server by URL."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from runyard.journal.pieces import Piece, Receipt


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

    Files are stored by one thread and everything else is asked by another one. Any call may fail for a while
    (a locked database, a full disk, a server that is away) and is then tried again; only LeaseLost means something
    for the run.
    """

    @property
    def artifacts(self) -> FileKeeper: ...

    @property
    def rest_s(self) -> float:
        """How long to wait between two deliveries of a run that goes on."""
        ...

    def offset(self, run_id: str, attempt: int, stream: str) -> int:
        """How many bytes of a stream have arrived."""
        ...

    def deliver(self, pieces: Sequence[Piece]) -> list[Receipt]:
        """Hand over pieces of streams, exactly once however often it is tried; one receipt for each.

        An incomplete record at the end of a piece is left for the next call.
        """
        ...

    def bring_files(self) -> bool:
        """Bring some of the stored files to where they belong; whether all of them are there."""
        ...

    def bring_checkpoints(self, run_id: str, attempt: int) -> Iterator[None]:
        """Bring the checkpoints of now to where other machines find them, step by step."""
        ...

    def fetch_checkpoints(self, run_id: str, attempt: int) -> Iterator[None]:
        """Lay out what another machine left for an attempt that begins, step by step, if that is newer."""
        ...

    def heartbeat(self, run_id: str, worker_id: str, attempt: int) -> None:
        """Keep the lease.

        Raises:
            LeaseLost: somebody else has it by now.
        """
        ...

    def attempt_ended(self, run_id: str) -> None:
        """Settle the queue after an attempt; safe to call again."""
        ...

    def close(self) -> None:
        """Nothing more comes."""
        ...
