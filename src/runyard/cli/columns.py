"""Columns of a table of runs: which there are, and which to show when nobody chose."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runyard.cli import formats, screen, target
from runyard.cli.tables import Cell
from runyard.errors import UsageError
from runyard.index import RunRow
from runyard.index.diff import config_diff, flatten
from runyard.project.project import Direction
from runyard.records import RunState

STATISTICS = ("last", "min", "max", "count")

_NONE = object()
_METRIC = re.compile(
    r"""(?:metrics?\[["'](?P<quoted>.+)["']\]|metrics\.(?P<dotted>.+?)|(?P<bare>.+?))(?:\.(?P<statistic>last|min|max|count))?"""
)


@dataclass(frozen=True)
class RunColumn:
    """A heading and how to find its cell in a run."""

    title: str
    cell: Callable[[RunRow, datetime], Cell]
    is_right: bool = False
    is_vital: bool = False


def _text(title: str, of: Callable[[RunRow], Any], *, is_vital: bool = False) -> RunColumn:
    return RunColumn(title, lambda row, _: Cell(str(of(row) or "")), is_vital=is_vital)


FIELDS: dict[str, RunColumn] = {
    "id": _text("id", lambda row: row.id, is_vital=True),
    "project": _text("project", lambda row: row.project),
    "name": _text("name", lambda row: row.name, is_vital=True),
    "state": RunColumn(
        "state", lambda row, _: Cell(str(row.state), screen.STATE_COLOURS.get(str(row.state), "")), is_vital=True
    ),
    "attempt": RunColumn("attempt", lambda row, _: Cell(str(row.attempt)), is_right=True),
    "age": RunColumn("age", lambda row, now: Cell(formats.age(row.created_at, now)), is_right=True),
    "created": RunColumn("created", lambda row, _: Cell(formats.moment(row.created_at))),
    "started": RunColumn("started", lambda row, _: Cell(formats.moment(row.started_at))),
    "ended": RunColumn("ended", lambda row, _: Cell(formats.moment(row.ended_at))),
    "duration": RunColumn("duration", lambda row, now: Cell(formats.duration(elapsed_s(row, now))), is_right=True),
    "experiment": _text("experiment", lambda row: row.experiment),
    "grid": _text("grid", lambda row: row.grid),
    "group": _text("group", lambda row: row.group[:8]),
    "user": _text("user", lambda row: row.user),
    "host": _text("host", lambda row: row.host),
    "devices": _text("devices", lambda row: ", ".join(row.devices)),
    "tags": _text("tags", lambda row: " ".join(row.tags)),
    "note": _text("note", lambda row: row.note.split("\n")[0]),
    "seed": RunColumn("seed", lambda row, _: Cell("" if row.seed is None else str(row.seed)), is_right=True),
    "data": _text("data", lambda row: row.data),
    "reason": _text("reason", lambda row: row.reason.split("\n")[0]),
    "commit": _text("commit", lambda row: (row.code.commit or "")[:9]),
}


def elapsed_s(row: RunRow, now: datetime) -> float | None:
    """How long the run took, or has been taking so far."""
    if row.state != RunState.RUNNING or row.attempt_started_at is None:
        return row.duration_s
    return (row.duration_s or 0.0) + (now - row.attempt_started_at).total_seconds()


def default(rows: Sequence[RunRow], metrics: Mapping[str, Direction]) -> list[RunColumn]:
    """What tells these runs apart: their state, the settings that differ, and the metrics they are judged by."""
    names = ["id", "name", "state", "age", "duration"]
    if any(row.attempt > 1 for row in rows):
        names.insert(3, "attempt")
    if len({row.project for row in rows}) > 1:
        names.insert(1, "project")
    columns = [FIELDS[name] for name in names]
    columns += [metric_column(key, str(goal)) for key, goal in metrics.items()]
    columns += [metric_column(key, "last") for key in list(metrics)[:1]]
    return columns + [config_column(key) for key in differing(rows)]


def chosen(text: str, rows: Sequence[RunRow]) -> list[RunColumn]:
    """The columns of `--columns`: fields, config keys and metrics, separated by commas.

    Raises:
        UsageError: a name is none of these.
    """
    configs = {key for row in rows for key in flatten(row.config)}
    metrics = {key for row in rows for key in row.summary}
    return [_column(name.strip(), configs, metrics) for name in text.split(",") if name.strip()]


def config_column(key: str) -> RunColumn:
    """One key of the config."""

    def cell(row: RunRow, _: datetime) -> Cell:
        value = _setting(row.config, key)
        return Cell("" if value is _NONE else formats.setting(value))

    return RunColumn(key, cell)


def metric_column(key: str, statistic: str) -> RunColumn:
    """One metric's last, lowest or highest value."""

    def cell(row: RunRow, _: datetime) -> Cell:
        return Cell(formats.number(value_of(row, key, statistic)))

    return RunColumn(f"{key} {statistic}", cell, is_right=True)


def value_of(row: RunRow, key: str, statistic: str) -> float | None:
    """A number of a run's summary, None if it has none."""
    summary = row.summary.get(key)
    value = getattr(summary, statistic) if summary is not None else None
    return None if value is None else float(value)


def differing(rows: Sequence[RunRow]) -> list[str]:
    """The dotted config keys that are not the same in all runs, in the order of the configs."""
    return list(config_diff({row.id: row.config for row in rows}))


def _setting(config: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key, `_NONE` if there is none. Walks down, since tables ask a thousand times."""
    value: Any = config
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            return flatten(config).get(key, _NONE)  # a key of a foreign script may hold dots itself
        value = value[part]
    return value


def _column(name: str, configs: set[str], metrics: set[str]) -> RunColumn:
    if name in FIELDS:
        return FIELDS[name]
    if name.removeprefix("config.") in configs:
        return config_column(name.removeprefix("config."))
    if name in metrics:
        return metric_column(name, "last")
    match = _METRIC.fullmatch(name)
    key = match and (match["quoted"] or match["dotted"] or match["bare"])
    if match and key in metrics:
        return metric_column(key, match["statistic"] or "last")
    known = [*FIELDS, *sorted(configs), *sorted(metrics)]
    raise UsageError(
        f"There is no column '{name}'. {target.guess(name, known)}"
        f"There are {', '.join(FIELDS)}, the keys of configs, and metrics (with .last, .min, .max or .count)."
    )
