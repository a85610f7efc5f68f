"""Folding runs that differ only in their seed into one row: mean, spread and count of their metrics."""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from runyard.index.diff import flatten
from runyard.index.rows import RunRow
from runyard.records import RunId

Aggregate = Literal["last", "min", "max"]


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """A metric over the runs of a group; `std` is the sample's (n - 1), None for a single run."""

    mean: float
    std: float | None
    n: int


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Runs that agree in what they were grouped by."""

    by: dict[str, Any]  # the shared settings; empty when grouped by all but the seed
    run_ids: tuple[RunId, ...]
    metrics: dict[str, Spread]


def group_runs(
    rows: Iterable[RunRow],
    *,
    by: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    aggregate: Aggregate = "last",
) -> list[Group]:
    """Group runs, in the order in which the first run of each group comes.

    Args:
        by: dotted config keys; None for all settings but the seed.
        metrics: which to sum up; None for all that occur.
        aggregate: which number of each run's metric counts. NaN and missing ones are left out of the mean.
    """
    groups: dict[str, list[RunRow]] = {}
    shared: dict[str, dict[str, Any]] = {}
    for row in rows:
        settings = _settings(row, by)
        identity = _identity(row, settings, by)
        groups.setdefault(identity, []).append(row)
        shared.setdefault(identity, settings)
    return [
        Group(
            by=shared[identity],
            run_ids=tuple(row.id for row in members),
            metrics=_spreads(members, metrics, aggregate),
        )
        for identity, members in groups.items()
    ]


def _settings(row: RunRow, by: Sequence[str] | None) -> dict[str, Any]:
    if by is None:
        return {}
    flat = flatten(row.config)
    return {key: flat.get(key) for key in by}


def _identity(row: RunRow, settings: dict[str, Any], by: Sequence[str] | None) -> str:
    if by is None:
        return f"{row.project}/{row.group or row.id}"  # a run without an identity stands for itself
    return msgspec.json.encode([_plain(value) for value in settings.values()]).decode()


def _plain(value: object) -> object:
    """1 and 1.0 are one setting; 1 and True are two."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
        return float(value)
    return value


def _spreads(rows: list[RunRow], metrics: Sequence[str] | None, aggregate: Aggregate) -> dict[str, Spread]:
    keys = metrics if metrics is not None else sorted({key for row in rows for key in row.summary})
    spreads: dict[str, Spread] = {}
    for key in keys:
        numbers = [getattr(row.summary[key], aggregate) for row in rows if key in row.summary]
        numbers = [number for number in numbers if number is not None and math.isfinite(number)]
        if numbers:
            spreads[key] = _spread(numbers)
    return spreads


def _spread(numbers: list[float]) -> Spread:
    n = len(numbers)
    mean = math.fsum(numbers) / n
    if n == 1:
        return Spread(mean=mean, std=None, n=1)
    return Spread(mean=mean, std=math.sqrt(math.fsum((x - mean) ** 2 for x in numbers) / (n - 1)), n=n)
