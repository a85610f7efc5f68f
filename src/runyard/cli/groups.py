"""Folding runs that differ by their seed alone, or by whatever was not asked for, into one row: mean ± std, n."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from runyard.cli import columns, formats, target
from runyard.client.runs import flat
from runyard.errors import UsageError
from runyard.index import RunRow

ALL_BUT_SEED = "all-but-seed"


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation (n - 1; None for one value) of a metric over the runs of a group."""

    statistic: str
    n: int
    mean: float
    std: float | None
    low: float
    high: float


@dataclass(frozen=True)
class Group:
    """Runs that belong together. `settings`: the config keys by which the groups differ."""

    rows: list[RunRow]
    settings: dict[str, Any]
    metrics: dict[str, Spread]

    @property
    def states(self) -> dict[str, int]:
        """How many runs are in which state."""
        counts: dict[str, int] = {}
        for row in self.rows:
            counts[str(row.state)] = counts.get(str(row.state), 0) + 1
        return dict(sorted(counts.items()))

    @property
    def mixes_code(self) -> bool:
        """Whether the runs had different code, so that their mean hides more than chance."""
        return len({row.code.code_id for row in self.rows}) > 1


def fold(rows: Sequence[RunRow], by: str, metrics: Mapping[str, str]) -> list[Group]:
    """Groups in the order of their first run.

    Args:
        by: "all-but-seed", or config keys separated by commas.
        metrics: metric -> "last", "min" or "max".

    Raises:
        UsageError: no run has a config key of that name.
    """
    keys = None if by == ALL_BUT_SEED else _known_keys(by, rows)
    members: dict[str, list[RunRow]] = {}
    for row in rows:
        members.setdefault(_identity(row, keys), []).append(row)
    shown = keys if keys is not None else [key for key in columns.differing(_first_of_each(members)) if key != "seed"]
    return [_group(group, shown, metrics) for group in members.values()]


def spread_of(rows: Sequence[RunRow], key: str, statistic: str) -> Spread | None:
    """Mean and deviation of a metric; None if no run has a number for it."""
    found = (columns.value_of(row, key, statistic) for row in rows)
    values = np.array([value for value in found if value is not None and math.isfinite(value)])
    if not len(values):
        return None
    std = float(values.std(ddof=1)) if len(values) > 1 else None
    return Spread(statistic, len(values), float(values.mean()), std, float(values.min()), float(values.max()))


def document(group: Group) -> dict[str, Any]:
    """The group as `--json` prints it."""
    return {
        "project": group.rows[0].project,
        "settings": group.settings,
        "n": len(group.rows),
        "runs": [row.id for row in group.rows],
        "states": group.states,
        "mixes_code": group.mixes_code,
        "metrics": {
            key: {
                "statistic": spread.statistic,
                "n": spread.n,
                "mean": spread.mean,
                "std": spread.std,
                "min": spread.low,
                "max": spread.high,
            }
            for key, spread in group.metrics.items()
        },
    }


def title(group: Group) -> str:
    """The settings in one line: `lr=0.1 depth=3`."""
    text = " ".join(f"{key}={formats.setting(value)}" for key, value in group.settings.items())
    return text or _without_seed(group.rows[0].name)


def _group(rows: list[RunRow], keys: Sequence[str], metrics: Mapping[str, str]) -> Group:
    flat = flat(rows[0].config)
    spreads = {key: spread_of(rows, key, statistic) for key, statistic in metrics.items()}
    return Group(
        rows=rows,
        settings={key: flat[key] for key in keys if key in flat},
        metrics={key: spread for key, spread in spreads.items() if spread is not None},
    )


def _identity(row: RunRow, keys: Sequence[str] | None) -> str:
    if keys is None and row.group:
        return json.dumps([row.project, row.group])
    flat = flat(row.config)
    if keys is None:
        keys = sorted(key for key in flat if key != "seed")
    return json.dumps([row.project, {key: flat.get(key) for key in keys}], sort_keys=True, default=str)


def _first_of_each(members: Mapping[str, list[RunRow]]) -> list[RunRow]:
    return [rows[0] for rows in members.values()]


def _known_keys(by: str, rows: Sequence[RunRow]) -> list[str]:
    known = list(dict.fromkeys(key for row in rows for key in flat(row.config)))
    keys = [name.strip().removeprefix("config.") for name in by.split(",") if name.strip()]
    for key in keys:
        if rows and key not in known:
            raise UsageError(
                f"No run has the config key '{key}' to group by. {target.guess(key, known)}"
                f"Write {ALL_BUT_SEED}, or config keys separated by commas."
            )
    return keys


def _without_seed(name: str) -> str:
    head, slash, tail = name.rpartition("/s")
    return head if slash and tail.isdigit() else name
