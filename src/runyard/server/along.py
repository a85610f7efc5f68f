"""Curves along another metric: epoch, examples seen, or whatever a training logs beside what is drawn."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from runyard.client import Client
from runyard.index.chunks import reduce_groups
from runyard.index.series import Series

_Array = NDArray[np.float64]


def along(
    client: Client, ids: Sequence[str], key: str, axis: str, *, buckets: int, start: float | None, stop: float | None
) -> Iterator[tuple[str, list[_Array]]]:
    """The arrays of each run that has both metrics: x, y; or x, min, max, mean, last.

    A point belongs to the latest value that the axis had at its step, so that an axis that is logged once an epoch
    serves points of every step. x ascends; points of equal x are one bucket.
    """
    axes = client.index.series_many(ids, axis)
    values = client.index.series_many([run_id for run_id in ids if run_id in axes], key) if axes else {}
    for run_id in ids:
        if run_id in values:
            x, y = _joined(axes[run_id], values[run_id])
            inside = np.ones(len(x), bool)
            if start is not None:
                inside &= x >= start
            if stop is not None:
                inside &= x <= stop
            yield run_id, _bucketed(x[inside], y[inside], buckets)


def _joined(axis: Series, series: Series) -> tuple[_Array, _Array]:
    """Values by x, ascending; those without one are left out."""
    is_known = np.isfinite(axis.values)
    order = np.argsort(axis.steps[is_known], kind="stable")
    steps, values = axis.steps[is_known][order], axis.values[is_known][order]
    place = np.searchsorted(steps, series.steps, side="right") - 1
    found = place >= 0
    x, y = values[place[found]], series.values[found]
    ascending = np.argsort(x, kind="stable")
    return x[ascending], y[ascending]


def _bucketed(x: _Array, y: _Array, buckets: int) -> list[_Array]:
    if not len(x):
        return [x, y]
    firsts = np.flatnonzero(np.r_[True, x[1:] != x[:-1]])  # of equal x
    starts = firsts[:: max(-(-len(firsts) // buckets), 1)]
    if len(starts) == len(x):
        return [x, y]
    ends = np.r_[starts[1:], len(x)] - 1
    low, high, mean = reduce_groups(y, y, y, np.ones(len(y)), starts)
    return [x[ends], low, high, mean, y[ends]]
