"""Many scalars at once: records that differ in nothing but time, step and value are decoded as arrays.

A training logs the same tags again and again, so most records of a file are alike to the byte but for these three.
Records of one size are laid side by side as a matrix. Taking from a record's checksum what time, step and value add to
it leaves a number that is the same for all that are alike, and for none that is damaged. They are then read by slicing
columns, which is some fifty times faster than a loop over them.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from runyard.bridges import protobuf
from runyard.bridges.protobuf import NotAMessage, fields
from runyard.bridges.tensorboard.framing import TAIL_BYTES, Block, unmasked
from runyard.bridges.tensorboard.messages import plugin_of
from runyard.journal import checksums

_DT_FLOAT = 1
_FEWEST = 8  # below that the loop is as fast
_LARGEST = 4096  # bytes of a record that is looked at here
_ROUNDS = 16  # a file with more layouts of one size is nothing that a training wrote
_LATEST_S = 9e9


@dataclass(frozen=True)
class Points:
    """Scalars of one tag, in the order of the file; all arrays have shape (n,)."""

    tag: str
    steps: NDArray[np.int64]
    values: NDArray[np.float64]
    times_ns: NDArray[np.int64]
    records: NDArray[np.int64]  # their places in the block


@dataclass(frozen=True)
class _Layout:
    """Where a record of one scalar keeps what varies."""

    time: int
    step: int
    step_bytes: int  # 0: there is none, which means 0
    value: int
    tag: str


def scalars(block: Block) -> Iterator[Points]:
    """Those records of a block that hold one scalar and are undamaged, if there are many alike.

    The rest is left to the caller.
    """
    small = np.flatnonzero(block.sizes < _LARGEST)
    if len(small) < _FEWEST:
        return
    order = small[np.argsort(block.sizes[small].astype(np.uint16), kind="stable")]  # of 16 bits: a radix sort
    sizes, firsts = np.unique(block.sizes[order], return_index=True)
    for size, records in zip(sizes.tolist(), np.split(order, firsts[1:]), strict=True):
        if len(records) >= _FEWEST:
            yield from _of_one_size(block, size, records)


def _of_one_size(block: Block, size: int, records: NDArray[np.int64]) -> Iterator[Points]:
    for _ in range(_ROUNDS):
        layout = _layout(block.record(int(records[0])))
        if layout is None:
            return
        columns = _Columns(_matrix(block, size, records), size, layout)
        left = np.ones(len(records), bool)
        for members in columns.alike():
            if len(members) < _FEWEST:
                left[members] = False  # to the caller
                continue
            other = _layout(block.record(int(records[members[0]])))
            if other and replace(other, tag=layout.tag) == layout and columns.is_whole(members[0]):
                left[members] = False
                yield columns.points(other.tag, members, records)
        records = records[left]
        if len(records) < _FEWEST:
            return


def _matrix(block: Block, size: int, records: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Records of one size, their checksums, and zeros up to a multiple of 8; shape (n, that many bytes)."""
    whole = size + TAIL_BYTES
    every: NDArray[np.void] = np.ndarray((len(block.data) - whole + 1,), f"V{whole}", block.data, 0, (1,))
    matrix = np.zeros((len(records), -(-whole // 8) * 8), np.uint8)
    matrix[:, :whole] = every[block.starts[records]].view(np.uint8).reshape(-1, whole)
    return matrix


class _Columns:
    """What records of one size say if they have a layout. The matrix is used up."""

    def __init__(self, matrix: NDArray[np.uint8], size: int, layout: _Layout) -> None:
        time, step, value = (
            slice(layout.time, layout.time + 8),
            slice(layout.step, layout.step + layout.step_bytes),
            slice(layout.value, layout.value + 4),
        )
        times, values, steps = matrix[:, time].copy(), matrix[:, value].copy(), matrix[:, step] & np.uint8(0x7F)
        self._left = unmasked(matrix[:, size : size + TAIL_BYTES].copy().view("<u4").ravel())  # of the checksums
        for field, place in ((times, time), (steps, step), (values, value)):
            self._left ^= checksums.shares(field, checksums.CRC32C, behind=size - place.stop)
        matrix[:, step] &= 0x80  # which bytes go on is part of the form
        for empty in (time, value, slice(size, None)):
            matrix[:, empty] = 0
        self._size = size
        self._bones = matrix
        self._times_ns = nanoseconds(times.view("<f8").ravel())
        self._values = values.view("<f4").ravel().astype(np.float64)
        self._steps = np.zeros(len(matrix), np.uint64)
        for number, part in enumerate(steps.T):
            self._steps |= part.astype(np.uint64) << np.uint64(7 * number)

    def alike(self) -> Iterator[NDArray[np.int64]]:
        """Records with the same checksum and the same bones, in their order; of two kinds that cannot be told apart by
        16 bits of it, one."""
        words = self._bones.view("<u8") @ _factors(self._bones.shape[1] // 8)
        short = (self._left ^ self._left >> np.uint32(16)).astype(np.uint16)
        order = np.argsort(short, kind="stable")
        firsts = np.flatnonzero(np.diff(short[order])) + 1
        for members in np.split(order, firsts):
            is_same = (self._left[members] == self._left[members[0]]) & (words[members] == words[members[0]])
            yield members if is_same.all() else members[is_same]

    def is_whole(self, record: int) -> bool:
        """Whether a record, and so all that are alike, has the checksum that it carries."""
        bones = self._bones[record, : self._size].tobytes()
        return bool(checksums.crc(bones, checksums.CRC32C) == self._left[record])

    def points(self, tag: str, members: NDArray[np.int64], records: NDArray[np.int64]) -> Points:
        """Some of the records as points of a tag; `records` are their places in the block."""
        return Points(
            tag=tag,
            steps=self._steps[members].view(np.int64),
            values=self._values[members],
            times_ns=self._times_ns[members],
            records=records[members],
        )


@lru_cache
def _factors(words: int) -> NDArray[np.uint64]:
    """Odd numbers that were drawn once; shape (words,)."""
    return np.random.default_rng(0).integers(0, 2**63, words, np.uint64) * np.uint64(2) + np.uint64(1)


def _layout(record: memoryview) -> _Layout | None:
    """Where time, step and value are in a record that holds one scalar and nothing else."""
    time, step, step_bytes = -1, 0, 0
    scalar: tuple[str, int] | None = None
    try:
        for number, kind, found, at in fields(record):
            if number == 1 and kind == protobuf.FIXED64 and time < 0:
                time = at
            elif number == 2 and isinstance(found, int) and not step_bytes:
                step, step_bytes = at, len(protobuf.put_varint(found))
            elif number == 5 and isinstance(found, memoryview) and scalar is None:
                ((inner, _, entry, entry_at),) = fields(found)
                scalar = _scalar(entry) if inner == 1 and isinstance(entry, memoryview) else None
                if scalar is None:
                    return None
                scalar = scalar[0], at + entry_at + scalar[1]
            else:
                return None
    except ValueError:  # NotAMessage is one; so is a summary of several values
        return None
    return _Layout(time, step, step_bytes, scalar[1], scalar[0]) if time >= 0 and scalar else None


def _scalar(message: memoryview) -> tuple[str, int] | None:
    """The tag of a value of either form, and where the four bytes of its number are."""
    tag, plugin, value, tensor = "", "", -1, -1
    for number, kind, found, at in fields(message):
        if number == 1:
            tag = protobuf.text(found)
        elif number == 2 and kind == protobuf.FIXED32 and value < 0:
            value = at
        elif number == 8 and isinstance(found, memoryview) and tensor < 0:
            tensor = at + _float(found)
        elif number == 9 and isinstance(found, memoryview):
            plugin = plugin_of(found)[0]
        else:
            return None
    if tensor >= 0:
        return (tag, tensor) if plugin == "scalars" and value < 0 else None
    return (tag, value) if value >= 0 else None


def _float(tensor: memoryview) -> int:
    """Where the four bytes of a tensor of one float are.

    Raises:
        NotAMessage: it is another one.
    """
    kind, place = 0, -1
    for number, _, found, at in fields(tensor):
        if number == 1 and isinstance(found, int):
            kind = found
        elif number in (4, 5) and isinstance(found, memoryview) and len(found) == 4 and place < 0:
            place = at
        elif number != 2:
            raise NotAMessage("another tensor")
    if kind != _DT_FLOAT or place < 0:
        raise NotAMessage("another tensor")
    return place


def one(tag: str, step: int, value: float, time_s: float, record: int) -> Points:
    """A single scalar, as points."""
    times = nanoseconds(np.array([time_s]))
    return Points(tag, np.array([step], np.int64), np.array([value], np.float64), times, np.array([record], np.int64))


def by_tag(found: Iterable[Points]) -> Iterator[Points]:
    """The points of each tag together, in the order of the file; tags in the order in which they come first."""
    groups: dict[str, list[Points]] = {}
    for points in found:
        groups.setdefault(points.tag, []).append(points)
    for tag, parts in groups.items():
        if len(parts) == 1:
            yield parts[0]
            continue
        records = np.concatenate([part.records for part in parts])
        order = np.argsort(records, kind="stable")
        yield Points(
            tag=tag,
            steps=np.concatenate([part.steps for part in parts])[order],
            values=np.concatenate([part.values for part in parts])[order],
            times_ns=np.concatenate([part.times_ns for part in parts])[order],
            records=records[order],
        )


def nanoseconds(seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Times in whole nanoseconds, to the microsecond that a double of seconds has; what is no time becomes 0."""
    if len(seconds) and not (seconds.min() > -_LATEST_S and seconds.max() < _LATEST_S):  # also if one is no number
        seconds = np.where(np.isfinite(seconds) & (np.abs(seconds) < _LATEST_S), seconds, 0.0)
    return np.rint(seconds * 1e6).astype(np.int64) * 1000
