"""Bringing what the journals say to the index, again and again until it is there.

Nothing that goes wrong here may reach the run: the journals are the truth, and whatever could not be
delivered is read by the next command that looks (`catch_up`).
"""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from runyard.errors import LeaseLost
from runyard.journal import EDITS, Attempt
from runyard.journal.pieces import Piece, Receipt
from runyard.supervisor.protocol import SupervisorClient
from runyard.supervisor.streams import CHUNK_BYTES, read_piece

FIRST_RETRY_S = 0.5  # after something went wrong; twice as long each time it goes wrong again
LONGEST_RETRY_S = 15.0

_T = TypeVar("_T")
Connect = Callable[[], SupervisorClient]


class Delivery:
    """The way to the client: opened when it is first needed, and again after it broke.

    Files are stored by the supervisor's loop; everything else that is asked of the client is an errand beside it.

    Attributes:
        rest_until: before that (monotonic seconds) nothing more is delivered, unless it is asked for at once.

    Args:
        connect: opens the client.
        warn: is told once about each kind of trouble.
    """

    def __init__(self, attempt: Attempt, *, connect: Connect, warn: Callable[[str], None]) -> None:
        self._attempt = attempt
        self._connect = connect
        self._warn = warn
        self._client: SupervisorClient | None = None
        self._connecting = threading.Lock()
        self._delivered: dict[tuple[int, str], int] = {}
        self._knows_offsets = True  # after trouble, where the other side stands is asked anew
        self._chunk_bytes: dict[tuple[int, str], int] = {}
        self._refused: set[tuple[int, str]] = set()  # streams that will never be taken
        self._warned: set[str] = set()
        self._not_before = 0.0
        self.rest_until = 0.0
        self._retry_s = FIRST_RETRY_S

    @property
    def client(self) -> SupervisorClient:
        """The client, opened at the first use."""
        with self._connecting:
            if self._client is None:
                self._client = self._connect()
            return self._client

    @property
    def has_trouble(self) -> bool:
        """Whether the last try went wrong."""
        return not self._knows_offsets

    def deliver_some(self, *, at_once: bool = False) -> bool:
        """Deliver one piece of every stream that grew; whether all of them have arrived.

        Args:
            at_once: without the rest that a server is given between two deliveries.
        """
        now = time.monotonic()
        if now < self._not_before or (now < self.rest_until and not at_once):
            return False
        return self._attempted("deliver", self._deliver_streams, default=False)

    def heartbeat(self, worker_id: str) -> LeaseLost | None:
        """Keep the lease alive; what the client says if another worker has the run."""

        def beat() -> LeaseLost | None:
            try:
                self.client.heartbeat(self._attempt.run.id, worker_id, self._attempt.number)
            except LeaseLost as lost:
                return lost
            return None

        return self._attempted("renew the lease", beat, default=None)

    def tell_end(self) -> bool:
        """Let the queue know; whether it worked."""

        def tell() -> bool:
            self.client.attempt_ended(self._attempt.run.id)
            return True

        return self._attempted("settle the queue", tell, default=False)

    def store_file(self, path: Path, *, name: str) -> str:
        """Put a file into the artifact store; return its SHA-256, or nothing if that did not work."""
        return self._attempted(f"store {name}", lambda: self.client.artifacts.put_file(path), default="")

    def store_bytes(self, data: bytes, *, name: str) -> str:
        """Put bytes into the artifact store; return their SHA-256, or nothing if that did not work."""
        return self._attempted(f"store {name}", lambda: self.client.artifacts.put_bytes(data), default="")

    def close(self) -> None:
        """Let go of the client."""
        if self._client is not None:
            self._client.close()

    def _attempted(self, what: str, action: Callable[[], _T], *, default: _T) -> _T:
        """Do something that needs the client; whatever goes wrong is told once and tried again later."""
        try:
            return action()
        except Exception as error:  # databases, disks, networks and their libraries: none may end a run
            self._failed(what, error)
            return default

    def _failed(self, what: str, error: Exception) -> None:
        self._not_before = time.monotonic() + self._retry_s
        self._retry_s = min(2 * self._retry_s, LONGEST_RETRY_S)
        self._knows_offsets = False
        kind = f"{what}: {type(error).__name__}"
        if kind not in self._warned:
            self._warned.add(kind)
            self._warn(f"The supervisor could not {what} and will try again. {type(error).__name__}: {error}")

    def _deliver_streams(self) -> bool:
        if not self._knows_offsets:
            self._delivered.clear()
            self._knows_offsets = True
        streams = [(self._attempt.number, name, self._attempt.journal(name)) for name in self._attempt.streams()]
        streams.append((0, EDITS, self._attempt.run.edits))
        found = [self._next_piece(number, name, path) for number, name, path in streams]
        pieces = [piece for piece in found if piece is not None]
        have_arrived = True
        if pieces:
            receipts = self.client.deliver(pieces)
            noted = [self._note(piece, receipt) for piece, receipt in zip(pieces, receipts, strict=True)]
            have_arrived = all(noted)
        is_all = self.client.bring_files() and have_arrived
        self._retry_s = FIRST_RETRY_S
        self.rest_until = time.monotonic() + (self.client.rest_s if is_all else 0.0)
        return is_all

    def _next_piece(self, number: int, stream: str, path: Path) -> Piece | None:
        """What has not arrived yet of a stream, or the beginning of it."""
        place = (number, stream)
        try:
            size = os.stat(path).st_size
        except FileNotFoundError:
            return None
        if place in self._refused:
            return None
        run_id = self._attempt.run.id
        if place not in self._delivered:
            self._delivered[place] = self.client.offset(run_id, number, stream)
        offset = self._delivered[place]
        if offset >= size:
            return None
        data = read_piece(path, offset, self._chunk_bytes.get(place, CHUNK_BYTES))
        return Piece(run_id, number, stream, offset, data)

    def _note(self, piece: Piece, receipt: Receipt) -> bool:
        """Remember how far a stream has arrived; whether that was all of the piece that can be read so far."""
        place = (piece.attempt, piece.stream)
        if receipt.problem:
            self._refused.add(place)
            self._warn(f"What the run wrote ({piece.stream}) was refused: {receipt.problem}")
            return True
        self._delivered[place] = receipt.offset
        if receipt.offset > piece.offset:
            self._chunk_bytes.pop(place, None)
            return receipt.offset >= piece.offset + len(piece.data) and len(piece.data) < CHUNK_BYTES
        chunk = self._chunk_bytes.get(place, CHUNK_BYTES)
        if len(piece.data) == chunk:
            self._chunk_bytes[place] = chunk * 2  # a record larger than a piece
            return False
        return receipt.offset == piece.offset  # a torn tail: nothing of it can be delivered before more is written
