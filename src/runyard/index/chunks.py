"""Chunks: the points of one segment of a stream, by columns, compressed.

A stream is cut into segments of 256 KiB; a record belongs to the segment in which it ends. So the
borders depend on the stream alone and not on the pieces in which it arrived. Within a segment the
rows with the same keys make one block: steps and times stored once, then each key's values beside a
pyramid (what a chart needs of every 64 points), so that a long curve is drawn without its values.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pcodec import ChunkConfig, standalone

from runyard.journal.arrays import FloatArray, IntArray
from runyard.journal.reader import Decoder, EventAt, Rows

SEGMENT_BYTES = 256 << 10
CELL = 64  # points
MIN_PYRAMID = 512  # points; below it, values decode faster than another blob is read

_CONFIG = ChunkConfig(compression_level=4)  # level 8 gains less than 1 % and takes four times as long


@dataclass(frozen=True, slots=True)
class Cells:
    """A series in pieces of CELL points: `spans` is (n, 3), first step, last step, last time in nanoseconds;
    `numbers` is (n, 4), min, max, mean without NaN, and last; `counts` is (n,)."""

    spans: IntArray
    numbers: FloatArray
    counts: IntArray


def decode_by_segment(decoder: Decoder, data: bytes) -> Iterator[tuple[int, list[Rows | EventAt]]]:
    """Feed `data` (from the decoder's offset on) segment by segment: the number of each, and what ends in it."""
    start = decoder.offset
    end = start + len(data)
    while True:
        before = decoder.offset
        segment = before // SEGMENT_BYTES
        border = (segment + 1) * SEGMENT_BYTES
        items = decoder.feed(data[before - start : border - start])
        while decoder.offset == before and border < end and not decoder.problem:  # a record of several segments
            segment, border = segment + 1, border + SEGMENT_BYTES
            items = decoder.feed(data[before - start : border - start])
        yield segment, items
        if decoder.problem or decoder.offset == before or border >= end:
            return


def chunk_rows(
    identity: dict[str, Any], segment: int, rows: Iterable[Rows], *, prefix: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of the tables `chunks` and `chunk_values` for one segment.

    Args:
        identity: run_id, attempt, stream.
        prefix: put in front of every key.
    """
    by_keys: dict[tuple[str, ...], list[Rows]] = {}
    for block in rows:
        by_keys.setdefault(block.keys, []).append(block)
    shared: list[dict[str, Any]] = []
    own: list[dict[str, Any]] = []
    for number, (keys, blocks) in enumerate(by_keys.items()):
        place = identity | {"segment": segment, "block": number}
        steps = np.concatenate([block.steps for block in blocks])
        times = np.concatenate([block.times for block in blocks])
        values = np.concatenate([block.values for block in blocks])
        has_pyramid = len(steps) >= MIN_PYRAMID
        shared.append(
            place
            | {
                "count": len(steps),
                "cells": spans_of(steps, times).tobytes() if has_pyramid else b"",
                "steps": _pack(steps),
                "times": _pack(times),
            }
        )
        for key, column in zip(keys, np.ascontiguousarray(values.T), strict=True):
            own.append(place | {"key": prefix + key} | _value_columns(column, has_pyramid=has_pyramid))
    return shared, own


def unpack_ints(data: bytes) -> IntArray:
    """Steps or times of a chunk."""
    return np.asarray(standalone.simple_decompress(data), dtype=np.int64)


def unpack_floats(data: bytes) -> FloatArray:
    """Values of a chunk."""
    return np.asarray(standalone.simple_decompress(data), dtype=np.float64)


def stored_cells(*, counts: Sequence[int], cells: bytes, pyramid: bytes) -> Cells:
    """The cells of chunks that have pyramids, one behind the other; `counts` are the points of each chunk."""
    return Cells(
        spans=np.frombuffer(cells, np.int64).reshape(-1, 3),
        numbers=np.frombuffer(pyramid, np.float64).reshape(-1, 4),
        counts=np.concatenate([_counts(count) for count in counts]),
    )


def cells_of(steps: IntArray, times: IntArray, values: FloatArray) -> Cells:
    """The cells of points, n >= 1."""
    return Cells(spans=spans_of(steps, times), numbers=numbers_of(values), counts=_counts(len(steps)))


def spans_of(steps: IntArray, times: IntArray) -> IntArray:
    """First step, last step and last time of every cell."""
    starts = np.arange(0, len(steps), CELL)
    ends = np.minimum(starts + CELL, len(steps)) - 1
    return np.column_stack((steps[starts], steps[ends], times[ends]))


def numbers_of(values: FloatArray) -> FloatArray:
    """Min, max, mean and last of every cell."""
    starts = np.arange(0, len(values), CELL)
    ends = np.minimum(starts + CELL, len(values)) - 1
    return np.column_stack((*reduce_groups(values, values, values, np.ones(len(values)), starts), values[ends]))


def reduce_groups(
    lows: FloatArray, highs: FloatArray, means: FloatArray, weights: FloatArray, starts: NDArray[np.intp]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Min, max and weighted mean, without NaN, of the groups that begin at `starts`; NaN where there is nothing."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):  # all NaN, inf - inf, huge
        present = ~np.isnan(means)
        total = np.add.reduceat(np.where(present, means * weights, 0.0), starts)
        weight = np.add.reduceat(np.where(present, weights, 0.0), starts)
        return np.fmin.reduceat(lows, starts), np.fmax.reduceat(highs, starts), total / weight


def _value_columns(column: FloatArray, *, has_pyramid: bool) -> dict[str, Any]:
    real = column[~np.isnan(column)]
    with np.errstate(invalid="ignore", over="ignore"):
        total = float(real.sum())
    return {
        "finite": len(real),
        "min": float(real.min()) if len(real) else None,
        "max": float(real.max()) if len(real) else None,
        "sum": total if total == total else None,
        "pyramid": numbers_of(column).tobytes() if has_pyramid else b"",
        "values": _pack(column),
    }


def _pack(array: IntArray | FloatArray) -> bytes:
    packed: bytes = standalone.simple_compress(array, _CONFIG)
    return packed


@lru_cache(maxsize=256)  # neighbouring chunks are mostly equally long
def _counts(count: int) -> IntArray:
    counts = np.full((count + CELL - 1) // CELL, CELL, dtype=np.int64)
    if count % CELL:
        counts[-1] = count % CELL
    counts.flags.writeable = False
    return counts
