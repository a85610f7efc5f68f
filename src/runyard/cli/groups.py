"""Folding runs that differ by their seed alone, or by whatever was not asked for, into one row: mean ± std, n."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from runyard.cli import columns, formats, target
from runyard.errors import UsageError
from runyard.index import RunRow
from runyard.index.diff import flatten
from runyard.index.groups import Aggregate, Spread, group_runs

ALL_BUT_SEED = "all-but-seed"


@dataclass(frozen=True)
class Group:
    """Runs that belong together.

    Attributes:
        settings: the config keys by which the groups differ, or were asked to be told apart.
        metrics: mean and sample deviation of each metric that any of the runs has.
        statistics: which number of each run counts: "last", "min" or "max".
    """

    rows: list[RunRow]
    settings: dict[str, Any]
    metrics: dict[str, Spread]
    statistics: Mapping[str, Aggregate]

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


def fold(rows: Sequence[RunRow], by: str, statistics: Mapping[str, Aggregate]) -> list[Group]:
    """Groups in the order of their first run.

    Args:
        by: "all-but-seed", or config keys separated by commas.
        statistics: metric -> which number of each run counts.

    Raises:
        UsageError: no run has a config key of that name.
    """
    keys = None if by == ALL_BUT_SEED else _known_keys(by, rows)
    by_id = {row.id: row for row in rows}
    found = [
        group_runs(rows, by=keys, metrics=[key for key, used in statistics.items() if used == each], aggregate=each)
        for each in get_args(Aggregate)
    ]
    members = [[by_id[run_id] for run_id in group.run_ids] for group in found[0]]
    shown = keys if keys is not None else [k for k in columns.differing([m[0] for m in members]) if k != "seed"]
    spreads = [
        {key: spread for group in same for key, spread in group.metrics.items()} for same in zip(*found, strict=True)
    ]
    return [
        Group(group, _settings(group[0], shown), {key: known[key] for key in statistics if key in known}, statistics)
        for group, known in zip(members, spreads, strict=True)
    ]


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
            key: {"statistic": group.statistics[key], "n": spread.n, "mean": spread.mean, "std": spread.std}
            for key, spread in group.metrics.items()
        },
    }


def title(group: Group) -> str:
    """The settings in one line: `lr=0.1 depth=3`."""
    text = " ".join(f"{key}={formats.setting(value)}" for key, value in group.settings.items())
    return text or _without_seed(group.rows[0].name)


def _settings(row: RunRow, keys: Sequence[str]) -> dict[str, Any]:
    known = flatten(row.config)
    return {key: known[key] for key in keys if key in known}


def _known_keys(by: str, rows: Sequence[RunRow]) -> list[str]:
    known = list(dict.fromkeys(key for row in rows for key in flatten(row.config)))
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
