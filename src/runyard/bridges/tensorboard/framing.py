"""Records of a file of TensorFlow: length, checksum of the length, bytes, checksum of the bytes.

The checksums are CRC-32C (Castagnoli, RFC 3720), rotated and shifted as TensorFlow does ("masked"). Reading verifies
those of the lengths, without which nothing behind them can be found; those of the bytes would cost ten times the
reading in Python, and a broken record is noticed when it is decoded.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from runyard.errors import JournalDamaged

_HEAD = struct.Struct("<QI")
_TAIL_BYTES = 4
_MASK_DELTA = 0xA282EAD8
_POLYNOMIAL = 0x82F63B78  # reversed
BLOCK_BYTES = 8 << 20
LARGEST_RECORD = 1 << 30


def _table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
        table.append(crc)
    return table


_TABLE = _table()


def masked_crc32c(data: bytes) -> int:
    """The checksum of some bytes as records carry it."""
    crc = 0xFFFFFFFF
    table = _TABLE
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def framed(data: bytes) -> bytes:
    """One record with its length and checksums."""
    length = struct.pack("<Q", len(data))
    return b"".join((length, struct.pack("<I", masked_crc32c(length)), data, struct.pack("<I", masked_crc32c(data))))


class Block(NamedTuple):
    """Some whole records: `data` holds them with all between; record i is `data[starts[i] : starts[i] + sizes[i]]`."""

    data: bytes
    starts: NDArray[np.int64]  # shape (n,)
    sizes: NDArray[np.int64]  # shape (n,)


class RecordFile:
    """A file of records that may still be written to. `offset` is behind the last record that was read."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        """Read `path` from `offset` on, which must be the beginning of a record."""
        self.path = path
        self.offset = offset
        self._sizes: dict[bytes, int] = {}  # a record's head -> its size: most heads come many times

    def blocks(self) -> Iterator[Block]:
        """What is there beyond `offset`, in pieces of some megabytes; a record that is not whole yet stays.

        Raises:
            JournalDamaged: what should be a record's length is none; nothing behind it can be read.
            OSError: the file cannot be read.
        """
        wanted = BLOCK_BYTES
        with self.path.open("rb") as file:
            while True:
                file.seek(self.offset)
                data = file.read(wanted)
                block, used, missing = self._cut(data)
                if len(block.starts):
                    self.offset += used
                    wanted = BLOCK_BYTES
                    yield block
                elif len(data) < wanted:
                    return  # the end, or the beginning of a record
                else:
                    wanted = missing  # a record that is larger than a block

    def _cut(self, data: bytes) -> tuple[Block, int, int]:
        """The whole records in `data`, the bytes they take, and how many the first one that is not whole would."""
        starts: list[int] = []
        sizes: list[int] = []
        known, head_bytes = self._sizes, _HEAD.size
        at, end = 0, len(data)
        missing = BLOCK_BYTES
        while at + head_bytes <= end:
            head = data[at : at + head_bytes]
            size = known.get(head)
            if size is None:
                if starts and not _is_sound(head):
                    break  # what is before it comes first
                size = known[head] = self._checked(head, self.offset + at)
            following = at + head_bytes + size + _TAIL_BYTES
            if following > end:
                missing = following - at
                break
            starts.append(at + head_bytes)
            sizes.append(size)
            at = following
        return Block(data, np.array(starts, np.int64), np.array(sizes, np.int64)), at, missing

    def _checked(self, head: bytes, place: int) -> int:
        if not _is_sound(head):
            raise JournalDamaged(f"{self.path} is damaged at byte {place:,}: what is behind it cannot be read.")
        return int(_HEAD.unpack(head)[0])


def _is_sound(head: bytes) -> bool:
    size, checksum = _HEAD.unpack(head)
    return bool(masked_crc32c(head[:8]) == checksum and size <= LARGEST_RECORD)
