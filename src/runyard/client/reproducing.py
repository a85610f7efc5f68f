"""Whether a run came out like another one: every metric, step by step, within tolerances. Pure: it compares only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import numpy as np

from runyard.client.runs import TrackedRun
from runyard.errors import NotFound
from runyard.index.series import Series
from runyard.journal.arrays import FloatArray, IntArray

MEASURED = "sys/"  # what supervisors measure never agrees
RELATIVE = 1e-3  # the same code on another processor: order of sums, fused operations
ABSOLUTE = 1e-6


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """Two values agree if they differ by at most `absolute + relative * |value of then|`.

    Attributes:
        by_key: a tolerance for single metrics, relative and absolute at once; keys may have wildcards.
    """

    relative: float = RELATIVE
    absolute: float = ABSOLUTE
    by_key: Mapping[str, float] = field(default_factory=dict)

    def of(self, key: str) -> tuple[float, float]:
        """Relative and absolute tolerance of a metric."""
        for pattern, value in self.by_key.items():
            if fnmatchcase(key, pattern):
                return value, value
        return self.relative, self.absolute


@dataclass(frozen=True, kw_only=True)
class MetricComparison:
    """One metric of two runs.

    Attributes:
        agrees: every point is there in both runs, and agrees within the tolerance.
        is_exact: not one bit differs.
        then, now: last values; None where the run lacks the metric.
        largest: the largest difference of two values at one step; infinite where only one of them is finite.
        largest_step: where that is.
        parts_at: the first step at which the runs do not agree, or that one of them lacks; None if they agree.
        missing, added: how many points the new run lacks, and has besides.
    """

    key: str
    agrees: bool
    is_exact: bool
    then: float | None
    now: float | None
    largest: float
    largest_step: int | None
    parts_at: int | None
    missing: int
    added: int

    @property
    def relative(self) -> float:
        """The difference of the last values as a part of the value of then; 0 if that is not to be told."""
        if self.then is None or self.now is None or not self.then:
            return 0.0
        return abs(self.now - self.then) / abs(self.then)


def compare_metrics(then: TrackedRun, now: TrackedRun, tolerance: Tolerance) -> list[MetricComparison]:
    """Compare every metric that either run logged itself, in alphabetic order."""
    keys = sorted(key for key in then.summary.keys() | now.summary.keys() if not key.startswith(MEASURED))
    return [_compare(key, _points(then, key), _points(now, key), tolerance.of(key)) for key in keys]


def _points(run: TrackedRun, key: str) -> Series | None:
    try:
        return run.series(key) if key in run.summary else None
    except NotFound:
        return None


def _compare(key: str, then: Series | None, now: Series | None, tolerance: tuple[float, float]) -> MetricComparison:
    old_steps, old = _by_step(then)
    new_steps, new = _by_step(now)
    common, places, others = np.intersect1d(old_steps, new_steps, assume_unique=True, return_indices=True)
    before, after = old[places], new[others]
    with np.errstate(invalid="ignore"):
        gap = np.abs(after - before)
    same = (before == after) | (np.isnan(before) & np.isnan(after))
    gap = np.where(same, 0.0, np.where(np.isfinite(gap), gap, np.inf))
    relative, absolute = tolerance
    limit = absolute + relative * np.where(np.isfinite(before), np.abs(before), 0.0)
    apart = np.concatenate([common[gap > limit], np.setxor1d(old_steps, new_steps, assume_unique=True)])
    worst = int(gap.argmax()) if len(gap) else None
    missing, added = len(old_steps) - len(common), len(new_steps) - len(common)
    return MetricComparison(
        key=key,
        agrees=not len(apart) and then is not None and now is not None,
        is_exact=bool(same.all()) and not missing and not added,
        then=float(old[-1]) if len(old) else None,
        now=float(new[-1]) if len(new) else None,
        largest=float(gap[worst]) if worst is not None else 0.0,
        largest_step=int(common[worst]) if worst is not None and gap[worst] > 0 else None,
        parts_at=int(apart.min()) if len(apart) else None,
        missing=missing,
        added=added,
    )


def _by_step(series: Series | None) -> tuple[IntArray, FloatArray]:
    """Steps in their order, each once, with the value that was logged last there."""
    if series is None or not len(series):
        return np.empty(0, np.int64), np.empty(0)
    steps, places = np.unique(series.steps[::-1], return_index=True)
    return steps, series.values[::-1][places]
