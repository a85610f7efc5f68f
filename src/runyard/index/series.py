"""Series as arrays: joining the pieces that the index and the journals hold, thinning, buckets. No I/O."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runyard.index.chunks import Cells, reduce_groups
from runyard.journal import HOST
from runyard.journal.arrays import FloatArray, IntArray, thinned

DRAWN_POINTS = 300


@dataclass(frozen=True, slots=True)
class Series:
    """All points of one metric, shape (n,) each: `times` in nanoseconds since 1970 (UTC), `attempts` the attempt
    that logged the point. In the order in which they were logged; steps may repeat."""

    steps: IntArray
    values: FloatArray
    times: IntArray
    attempts: IntArray

    def __len__(self) -> int:
        return len(self.steps)

    def drawn(self) -> list[tuple[float, float]]:
        """At most 300 points (step, value) that give the look of the series."""
        few = thin(self, DRAWN_POINTS)
        return list(zip(few.steps.tolist(), few.values.tolist(), strict=True))

    def _repr_html_(self) -> str:
        from runyard.drawing import Curve, chart  # late: for notebooks alone

        return chart("", [Curve(f"{len(self):,} point{'s' * (len(self) != 1)}, last", self.drawn())])


@dataclass(frozen=True, slots=True)
class Buckets:
    """A series in a few pieces, for drawing: shape (n,) each. Min, max and mean leave NaN out."""

    first_steps: IntArray
    last_steps: IntArray
    times: IntArray  # of the last point
    min: FloatArray
    max: FloatArray
    mean: FloatArray
    last: FloatArray
    counts: IntArray

    def __len__(self) -> int:
        return len(self.counts)


@dataclass(frozen=True, slots=True)
class Part:
    """Neighbouring points of one stream. `is_mixed`: the key was logged in other company too, at the same time."""

    attempt: int
    stream: str
    is_mixed: bool
    steps: IntArray
    times: IntArray
    values: FloatArray


_NO_STEPS, _NO_VALUES = np.empty(0, np.int64), np.empty(0)
_NOTHING = Buckets(_NO_STEPS, _NO_STEPS, _NO_STEPS, _NO_VALUES, _NO_VALUES, _NO_VALUES, _NO_VALUES, _NO_STEPS)


def empty_series() -> Series:
    none = np.empty(0, np.int64)
    return Series(steps=none, values=np.empty(0), times=none, attempts=none)


def join_parts(parts: Iterable[Part]) -> Series:
    """One series of all parts, each stream's in its order; a later attempt replaces steps from its first on."""
    by_attempt: dict[int, list[Part]] = {}
    for part in parts:
        if len(part.steps):
            by_attempt.setdefault(part.attempt, []).append(part)
    if not by_attempt:
        return empty_series()
    pieces: list[Series] = []
    cut: int | None = None
    for attempt in sorted(by_attempt, reverse=True):
        ours = by_attempt[attempt]
        piece = _in_order(ours)
        is_measured = all(part.stream == HOST for part in ours)
        if cut is not None and not is_measured:
            piece = _keep(piece, piece.steps < cut)
        pieces.append(piece)
        first = min(_first_steps(ours), default=None)
        if first is not None:
            cut = first if cut is None else min(cut, first)
    return _concatenate(pieces[::-1])


def between(series: Series, start: int | None, stop: int | None) -> Series:
    """The points whose step is in [start, stop]."""
    kept = step_range(series.steps, start, stop)
    return series if kept is None else _keep(series, kept)


def step_range(steps: IntArray, start: int | None, stop: int | None) -> NDArray[np.bool_] | slice | None:
    """Which points have a step in [start, stop]: None for all, a slice for neighbours (it copies nothing)."""
    if not len(steps) or (start is None and stop is None):
        return None
    low = steps.min() if start is None else start
    high = steps.max() if stop is None else stop
    mask = (steps >= low) & (steps <= high)
    count = int(np.count_nonzero(mask))
    if count == len(steps):
        return None
    first = int(mask.argmax())
    return slice(first, first + count) if count and mask[first : first + count].all() else mask


def within(series: Series, first_ns: int | None, last_ns: int | None) -> Series:
    """The points that were logged in [first_ns, last_ns], nanoseconds since 1970."""
    mask = np.ones(len(series), bool)
    if first_ns is not None:
        mask &= series.times >= first_ns
    if last_ns is not None:
        mask &= series.times <= last_ns
    return _keep(series, mask)


def thin(series: Series, points: int) -> Series:
    """Keep about `points` points: the lowest and the highest of each stretch, the first and the last point.

    Raises:
        ValueError: fewer than 4 points are asked for.
    """
    return series if len(series) <= points and points >= 4 else _keep(series, thinned(series.values, points))


def buckets_of_series(series: Series, buckets: int) -> Buckets:
    """At most `buckets` buckets of as many points each as possible."""
    starts, ends = _borders(len(series), buckets)
    if not len(starts):
        return _NOTHING
    values = series.values
    lows, highs, means = reduce_groups(values, values, values, np.ones(len(values)), starts)
    return Buckets(
        first_steps=series.steps[starts],
        last_steps=series.steps[ends],
        times=series.times[ends],
        min=lows,
        max=highs,
        mean=means,
        last=values[ends],
        counts=ends - starts + 1,
    )


def buckets_of_cells(cells: list[Cells], buckets: int) -> Buckets:
    """At most `buckets` buckets of as many cells each as possible."""
    return _grouped(
        buckets,
        Cells(
            spans=np.concatenate([cell.spans for cell in cells]),
            numbers=np.concatenate([cell.numbers for cell in cells]),
            counts=np.concatenate([cell.counts for cell in cells]),
        ),
    )


def _grouped(buckets: int, cells: Cells) -> Buckets:
    starts, ends = _borders(len(cells.counts), buckets)
    if not len(starts):
        return _NOTHING
    numbers, spans = cells.numbers, cells.spans
    lows, highs, means = reduce_groups(
        numbers[:, 0], numbers[:, 1], numbers[:, 2], cells.counts.astype(np.float64), starts
    )
    return Buckets(
        first_steps=spans[starts, 0],
        last_steps=spans[ends, 1],
        times=spans[ends, 2],
        min=lows,
        max=highs,
        mean=means,
        last=numbers[ends, 3],
        counts=np.add.reduceat(cells.counts, starts),
    )


def _borders(count: int, buckets: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The first and the last place of each bucket."""
    size = max(-(-count // buckets), 1)
    starts = np.arange(0, count, size)
    return starts, np.minimum(starts + size, count) - 1


def _in_order(parts: list[Part]) -> Series:
    """The points of one attempt; by time, if they were logged in several places."""
    attempts = np.broadcast_to(np.int64(parts[0].attempt), sum(len(part.steps) for part in parts))  # takes no memory
    series = Series(
        steps=np.concatenate([part.steps for part in parts]),
        values=np.concatenate([part.values for part in parts]),
        times=np.concatenate([part.times for part in parts]),
        attempts=attempts,
    )
    if len({part.stream for part in parts}) == 1 and not any(part.is_mixed for part in parts):
        return series
    if (series.times[1:] >= series.times[:-1]).all():
        return series
    return _keep(series, np.argsort(series.times, kind="stable"))


def _first_steps(parts: list[Part]) -> Iterable[int]:
    """The first step that each stream of one attempt logged, by time; what the supervisor measures does not count."""
    firsts: dict[str, tuple[int, int]] = {}
    for part in parts:
        if part.stream != HOST:
            found = (int(part.times[0]), int(part.steps[0]))
            known = firsts.get(part.stream)
            firsts[part.stream] = found if known is None or found[0] < known[0] else known
    return [step for _, step in firsts.values()]


def _keep(series: Series, mask: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Series:
    return Series(
        steps=series.steps[mask],
        values=series.values[mask],
        times=series.times[mask],
        attempts=series.attempts[mask],
    )


def _concatenate(pieces: list[Series]) -> Series:
    if len(pieces) == 1:
        return pieces[0]
    return Series(
        steps=np.concatenate([piece.steps for piece in pieces]),
        values=np.concatenate([piece.values for piece in pieces]),
        times=np.concatenate([piece.times for piece in pieces]),
        attempts=np.concatenate([piece.attempts for piece in pieces]),
    )
