"""Records of a file of TensorFlow: length, checksum of the length, bytes, checksum of the bytes.

The checksums are CRC-32C (Castagnoli, RFC 3720), rotated and shifted as TensorFlow does ("masked"). Cutting a file into
records verifies those of the lengths; `is_whole` verifies the others.

Where a record begins is known only when the one before it is. So that this need not be a loop over records, a block
is cut from many places at once: from bytes that look like the head of a record (whose checksum says so), in all these
lanes side by side, until each meets the beginning of the next one. A lane that none before it meets began inside a
record, and is forgotten; what lies between is gone through one by one.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from runyard.errors import JournalDamaged
from runyard.journal import checksums
from runyard.journal.checksums import CRC32C

_HEAD = struct.Struct("<QI")
_LENGTH_BYTES = 8
TAIL_BYTES = 4
_AROUND = _HEAD.size + TAIL_BYTES
_MASK_DELTA = 0xA282EAD8
BLOCK_BYTES = 8 << 20
LARGEST_RECORD = 1 << 30

_LANE_BYTES = 8 << 10
_LOOK_BYTES = 256  # how far from its beginning a lane looks for a head
_SMALL = 1 << 16  # records of this size and more are not gone through in lanes
_FEWEST_LANES = 16  # that still move; below, the loop is as fast


def masked(crc: int) -> int:
    """A checksum as records carry it."""
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def unmasked(carried: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The checksums that some records carry; shape (n,)."""
    turned = carried - np.uint32(_MASK_DELTA)
    return turned << np.uint32(15) | turned >> np.uint32(17)


def masked_crc32c(data: bytes | memoryview) -> int:
    """The checksum of some bytes as records carry it."""
    return masked(checksums.crc(data, CRC32C))


def framed(data: bytes) -> bytes:
    """One record with its length and checksums."""
    length = struct.pack("<Q", len(data))
    return b"".join((length, struct.pack("<I", masked_crc32c(length)), data, struct.pack("<I", masked_crc32c(data))))


class Block(NamedTuple):
    """Some whole records: `data` holds them with all between; record i is `data[starts[i] : starts[i] + sizes[i]]`."""

    data: bytes
    starts: NDArray[np.int64]  # shape (n,), ascending
    sizes: NDArray[np.int64]  # shape (n,)

    def record(self, index: int) -> memoryview:
        """The bytes of a record."""
        start = int(self.starts[index])
        return memoryview(self.data)[start : start + int(self.sizes[index])]

    def is_whole(self, index: int) -> bool:
        """Whether a record has the checksum that stands behind it."""
        end = int(self.starts[index] + self.sizes[index])
        return self.data[end : end + TAIL_BYTES] == struct.pack("<I", masked_crc32c(self.record(index)))


class RecordFile:
    """A file of records that may still be written to. `offset` is behind the last record that was read."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        """Read `path` from `offset` on, which must be the beginning of a record."""
        self.path = path
        self.offset = offset

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
                starts, sizes, used = _cut(data)
                if len(starts):
                    self.offset += used
                    wanted = BLOCK_BYTES
                    yield Block(data, starts, sizes)
                    continue
                if len(data) >= _HEAD.size and not _is_sound(data, 0):
                    place = f"{self.path} is damaged at byte {self.offset:,}"
                    raise JournalDamaged(f"{place}: what is behind it cannot be read.")
                if len(data) < wanted:
                    return  # the end, or the beginning of a record
                wanted = _size_at(data, 0) + _AROUND  # a record that is larger than a block


def _cut(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Starts and sizes of the whole records that `data` begins with, and how many bytes they take."""
    begins, ends, in_lanes = _in_lanes(data)
    met = np.zeros(len(begins), bool)
    alone: list[int] = []  # heads of records that no lane has
    at = 0
    for number, (begin, end) in enumerate(zip(begins.tolist(), ends.tolist(), strict=True)):
        while at < begin and (following := _following(data, at)):
            alone.append(at)
            at = following
        if at == begin:
            met[number] = True
            at = end
        elif at < begin:
            break
    while following := _following(data, at):
        alone.append(at)
        at = following
    heads = np.concatenate([in_lanes.T[:, :-1][_moves(in_lanes).T & met[:, None]], np.array(alone, np.int64)])
    if alone:
        heads.sort()
    return heads + _HEAD.size, np.diff(heads, append=at) - _AROUND, at


def _moves(places: NDArray[np.int64]) -> NDArray[np.bool_]:
    moved: NDArray[np.bool_] = places[1:] != places[:-1]
    return moved


def _in_lanes(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Go through all lanes of a block.

    Returns:
        Where each lane begins and where it ends, shape (lanes,), and where each is after so many records, shape
        (1 + records, lanes); one that has ended stays where it is.
    """
    begins = _beginnings(data)
    places = [begins]
    if len(begins) < _FEWEST_LANES:
        none = np.zeros(0, np.int64)
        return none, none, np.zeros((1, 0), np.int64)
    until = np.append(begins[1:], len(data) - _HEAD.size + 1)
    last = len(data) - _HEAD.size
    lengths: NDArray[np.uint64] = np.ndarray((last + 1,), "<u8", data, 0, (1,))
    carried: NDArray[np.uint32] = np.ndarray((last + 1,), "<u4", data, _LENGTH_BYTES, (1,))
    while True:
        here = places[-1]
        head = np.minimum(here, last)
        length = lengths[head]
        goes_on = (here < until) & (length < _SMALL)
        size = length.astype(np.int64)
        following = here + size + _AROUND
        goes_on &= (_CHECKSUMS.take(size, mode="clip") == carried[head]) & (following <= len(data))
        if np.count_nonzero(goes_on) < _FEWEST_LANES:
            return begins, here, np.stack(places)
        places.append(np.where(goes_on, following, here))


def _beginnings(data: bytes) -> NDArray[np.int64]:
    """Where bytes look like the head of a small record, the first ones of each stretch; ascending."""
    stretches = (len(data) - _HEAD.size - _LOOK_BYTES) // _LANE_BYTES
    if stretches < _FEWEST_LANES:
        return np.zeros(0, np.int64)
    look, far = (stretches, _LOOK_BYTES), (_LANE_BYTES, 1)
    lengths: NDArray[np.uint64] = np.ndarray(look, "<u8", data, 0, far)
    carried: NDArray[np.uint32] = np.ndarray(look, "<u4", data, _LENGTH_BYTES, far)
    number, place = np.nonzero(lengths < _SMALL)
    is_head = _CHECKSUMS.take(lengths[number, place].astype(np.int64)) == carried[number, place]
    number, first = np.unique(number[is_head], return_index=True)
    found: NDArray[np.int64] = number * _LANE_BYTES + place[is_head][first]
    return found


def _of_lengths() -> NDArray[np.uint32]:
    """The masked checksum of each small length; shape (_SMALL,)."""
    lengths = np.arange(_SMALL, dtype="<u8")
    crcs = checksums.shares(lengths.view(np.uint8).reshape(-1, 8), CRC32C, behind=0) ^ np.uint32(
        checksums.crc(bytes(_LENGTH_BYTES), CRC32C)
    )
    return (crcs >> np.uint32(15) | crcs << np.uint32(17)) + np.uint32(_MASK_DELTA)


_CHECKSUMS = _of_lengths()


def _following(data: bytes, at: int) -> int:
    """Where the record ends whose head is at a place; 0 if there is no whole one."""
    if at + _AROUND > len(data) or not _is_sound(data, at):
        return 0
    following = at + _size_at(data, at) + _AROUND
    return following if following <= len(data) else 0


def _is_sound(data: bytes, at: int) -> bool:
    size, checksum = _HEAD.unpack_from(data, at)
    if size < _SMALL:
        return bool(_CHECKSUMS[size] == checksum)
    return bool(size <= LARGEST_RECORD and masked_crc32c(data[at : at + _LENGTH_BYTES]) == checksum)


def _size_at(data: bytes, at: int) -> int:
    return int(_HEAD.unpack_from(data, at)[0])
