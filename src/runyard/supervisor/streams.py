"""Following journals while others write them: the events that a supervisor itself must know of.

The reader needs NumPy; this module is imported when the child is on its way.
"""

import os
from pathlib import Path

from runyard.errors import FormatUnknown, JournalDamaged
from runyard.journal.events import AnyEvent
from runyard.journal.reader import Decoder, EventAt

CHUNK_BYTES = 4 << 20


class Follower:
    """Gives the events of one journal as they arrive. A journal that does not exist yet is an empty one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._decoder = Decoder()
        self._seen_bytes = 0
        self._chunk_bytes = CHUNK_BYTES
        self._is_broken = False

    @property
    def created_ns(self) -> int | None:
        """When the journal was created, in nanoseconds since 1970; None as long as its header was not read."""
        return self._decoder.header.created_ns if self._decoder.header else None

    def read(self) -> list[AnyEvent]:
        """Events of the next piece of the journal; empty if nothing has come."""
        size = _size(self._path)
        if self._is_broken or size <= self._seen_bytes:  # smaller: somebody has deleted it
            return []
        data = read_piece(self._path, self._decoder.offset, self._chunk_bytes)
        before = self._decoder.offset
        try:
            items = self._decoder.feed(data)
        except (JournalDamaged, FormatUnknown):
            self._is_broken = True  # its end will be told by exit code alone
            return []
        if self._decoder.offset == before and len(data) == self._chunk_bytes:
            self._chunk_bytes *= 2  # a record larger than a piece
        else:
            self._chunk_bytes = CHUNK_BYTES
            self._seen_bytes = before + len(data)
        return [item.event for item in items if isinstance(item, EventAt)]

    def read_all(self) -> list[AnyEvent]:
        """Events up to the present end."""
        events = []
        while not self._is_broken and _size(self._path) > self._seen_bytes:
            events += self.read()
        return events


def read_piece(path: Path, offset: int, size: int) -> bytes:
    """Bytes of a file that may not exist."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""
    try:
        return os.pread(fd, size, offset)
    finally:
        os.close(fd)


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
