"""Records of a run file: the log format of LevelDB behind a header of seven bytes.

A file is blocks of 32 KiB. A block holds pieces: CRC-32 of kind and bytes (that of zlib, unlike LevelDB's own), length
(2 bytes), kind (1 byte), bytes. A record is one piece, or a first one, middle ones and a last one. A block
whose rest is too small for a piece is filled with zeros.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from runyard.errors import UsageError

HEADER = b":W&B\xe1\xbe\x00"
BLOCK_BYTES = 32 << 10
_PIECE = struct.Struct("<IHB")
_WHOLE, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_READ_BLOCKS = 128
_STARTS = {kind: zlib.crc32(bytes([kind])) for kind in (_WHOLE, _FIRST, _MIDDLE, _LAST)}


class RunFile:
    """A file that is read from its beginning, and may still be written to.

    Attributes:
        problems: a sentence for each place that cannot be read, after `records` is through.
        torn_bytes: how many bytes at the end belong to a record that is not whole.
    """

    def __init__(self, path: Path) -> None:
        """Nothing is read before `records`."""
        self.path = path
        self.problems: list[str] = []
        self.torn_bytes = 0
        self._parts: list[bytes] = []
        self._record_at = 0  # where the record of these parts begins

    def records(self) -> Iterator[bytes]:
        """All whole records. After a damaged place reading goes on at the next block.

        Raises:
            UsageError: it is no run file.
            OSError: it cannot be read.
        """
        self.problems, self.torn_bytes, self._parts = [], 0, []
        with self.path.open("rb") as file:
            if file.read(len(HEADER)) != HEADER:
                raise UsageError(f"{self.path} is no run file of W&B, or one of a version that is not known.")
            file.seek(0)
            at = 0
            for block in _blocks(file):
                yield from self._cut(block, at, begin=len(HEADER) if at == 0 else 0)
                at += len(block)
            if self._parts and not self.torn_bytes:
                self.torn_bytes = at - self._record_at

    def _cut(self, block: bytes, place: int, *, begin: int) -> Iterator[bytes]:
        at, end = begin, len(block)
        while at + _PIECE.size <= end:
            checksum, size, kind = _PIECE.unpack_from(block, at)
            if not (checksum or size or kind):
                if any(block[at:]):
                    self._broken(place + at, "zeros where a piece should begin")
                else:
                    self.torn_bytes = end - at  # if nothing follows: a file that was made longer, and never filled
                return
            self.torn_bytes = 0
            start = at + _PIECE.size
            at = start + size
            if at > end:
                if end < BLOCK_BYTES:  # the last block: the piece is being written, or its writer is gone
                    self.torn_bytes = end - start + _PIECE.size
                    if self._parts:
                        self.torn_bytes = place + end - self._record_at
                else:
                    self._broken(place + start - _PIECE.size, "a piece is longer than its block")
                return
            data = block[start:at]
            if zlib.crc32(data, _STARTS.get(kind, 0)) != checksum or kind not in _STARTS:
                self._broken(place + start - _PIECE.size, "a checksum is wrong")
                return
            record = self._joined(kind, data, place + start - _PIECE.size)
            if record is not None:
                yield record
        if end < BLOCK_BYTES and at < end:
            self.torn_bytes = end - at

    def _joined(self, kind: int, data: bytes, place: int) -> bytes | None:
        """The record that a piece completes."""
        if kind in (_WHOLE, _FIRST):
            if self._parts:
                self._broken(self._record_at, "a record does not end")
            self._parts, self._record_at = [data], place
        elif self._parts:
            self._parts.append(data)
        else:
            return None  # of a record whose beginning was damaged, which has been told
        if kind in (_FIRST, _MIDDLE):
            return None
        record = b"".join(self._parts)
        self._parts = []
        return record

    def _broken(self, place: int, why: str) -> None:
        self._parts = []
        self.problems.append(
            f"{self.path} is damaged at byte {place:,}: {why}; what could be read behind it was taken."
        )


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while data := file.read(BLOCK_BYTES * _READ_BLOCKS):
        for begin in range(0, len(data), BLOCK_BYTES):
            yield data[begin : begin + BLOCK_BYTES]
