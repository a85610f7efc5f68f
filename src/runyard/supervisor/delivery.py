"""Bringing what the journals say to the index, again and again until it is there.

Nothing that goes wrong here may reach the run: the journals are the truth, and whatever could not be
delivered is read by the next command that looks (`catch_up`).
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from runyard.errors import LeaseLost
from runyard.journal import EDITS, Attempt
from runyard.journal.events import Ended
from runyard.supervisor.protocol import SupervisorClient
from runyard.supervisor.streams import CHUNK_BYTES, read_piece

FIRST_RETRY_S = 0.5  # after something went wrong; twice as long each time it goes wrong again
LONGEST_RETRY_S = 15.0

_T = TypeVar("_T")
Connect = Callable[[], SupervisorClient]


class Delivery:
    """The way to the client: opened when it is first needed, and again after it broke.

    Args:
        connect: opens the client.
        warn: is told once about each kind of trouble.
    """

    def __init__(self, attempt: Attempt, *, connect: Connect, warn: Callable[[str], None]) -> None:
        self._attempt = attempt
        self._connect = connect
        self._warn = warn
        self._client: SupervisorClient | None = None
        self._delivered: dict[tuple[int, str], int] = {}
        self._chunk_bytes: dict[tuple[int, str], int] = {}
        self._warned: set[str] = set()
        self._not_before = 0.0
        self._retry_s = FIRST_RETRY_S

    @property
    def client(self) -> SupervisorClient:
        """The client, opened at the first use."""
        if self._client is None:
            self._client = self._connect()
        return self._client

    def deliver_some(self) -> bool:
        """Deliver one piece of every stream that grew; whether all of them have arrived."""
        if time.monotonic() < self._not_before:
            return False
        return self._attempted("deliver", self._deliver_streams, default=False)

    def heartbeat(self, worker_id: str) -> None:
        """Keep the lease alive.

        Raises:
            LeaseLost: another worker has the run.
        """
        try:
            self.client.heartbeat(self._attempt.run.id, worker_id, self._attempt.number)
        except LeaseLost:
            raise
        except Exception as error:  # see _attempted
            self._failed("renew the lease", error)

    def tell_end(self, ended: Ended) -> bool:
        """Let the queue know; whether it worked."""

        def tell() -> bool:
            self.client.attempt_ended(self._attempt.run.id, self._attempt.number, ended)
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
        self._delivered.clear()  # where the other side stands has to be asked anew
        kind = f"{what}: {type(error).__name__}"
        if kind not in self._warned:
            self._warned.add(kind)
            self._warn(f"The supervisor could not {what} and will try again. {type(error).__name__}: {error}")

    def _deliver_streams(self) -> bool:
        streams = [(self._attempt.number, name, self._attempt.journal(name)) for name in self._attempt.streams()]
        streams.append((0, EDITS, self._attempt.run.edits))
        arrived = [self._deliver(number, name, path) for number, name, path in streams]
        self._retry_s = FIRST_RETRY_S
        return all(arrived)

    def _deliver(self, number: int, stream: str, path: Path) -> bool:
        try:
            size = os.stat(path).st_size
        except FileNotFoundError:
            return True
        place = (number, stream)
        run_id = self._attempt.run.id
        if place not in self._delivered:
            self._delivered[place] = self.client.offset(run_id, number, stream)
        offset = self._delivered[place]
        if offset >= size:
            return True
        chunk = self._chunk_bytes.get(place, CHUNK_BYTES)
        data = read_piece(path, offset, chunk)
        arrived = self.client.deliver(run_id, number, stream, offset, data)
        self._delivered[place] = arrived
        if arrived > offset:
            self._chunk_bytes.pop(place, None)
            return arrived >= size
        if len(data) == chunk:
            self._chunk_bytes[place] = chunk * 2  # a record larger than a piece
            return False
        return True  # a torn tail: nothing of it can be delivered before more is written
