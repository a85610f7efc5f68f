"""What tables say: rows that are runs, rows that are points, files that are one run.

What of a row cannot be read is among the problems of its table, with file and line.
"""

import hashlib
import json
import math
import os
import re
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from runyard.bridges.intake import series_name
from runyard.bridges.tables import cells
from runyard.bridges.tables.columns import FIELDS, metric_of, parts
from runyard.bridges.tables.guessing import Layout, Role
from runyard.bridges.tables.reading import CsvTable, JsonTable
from runyard.bridges.trees import put
from runyard.formulas import unguarded
from runyard.index.rows import from_ns, to_ns
from runyard.records import RunState

_STATES = {
    **{str(state): state for state in RunState},
    **dict.fromkeys(("FINISHED", "DONE", "SUCCESS", "SUCCEEDED", "OK", "COMPLETE"), RunState.COMPLETED),
    **dict.fromkeys(("CRASHED", "ERROR", "FAILURE"), RunState.FAILED),
    **dict.fromkeys(("KILLED", "ABORTED", "CANCELED", "CANCELLED"), RunState.STOPPED),
    "TIMEOUT": RunState.TIMED_OUT,
    "OOM": RunState.OUT_OF_MEMORY,
}
_POINTS = 100_000  # that are brought at once
_NS = 1_000_000_000
_MILLISECONDS = 1e11  # a number of seconds so large is one of milliseconds
_SPLIT = re.compile(r"[,;]")
_LARGEST_STEP = 1 << 63
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


@dataclass
class TableRun:
    """A run as a row tells it. Times are aware, UTC."""

    source: str
    id: str = ""
    name: str = ""
    project: str = ""
    experiment: str | None = None
    state: RunState = RunState.COMPLETED
    reason: str = ""
    tags: list[str] = field(default_factory=list)
    note: str = ""
    seed: int | None = None
    user: str = ""
    host: str = ""
    parent: str = ""
    commit: str = ""
    branch: str = ""
    created_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    config: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)  # by statistic; "" for the value
    is_ours: bool = False
    at: datetime = datetime(1970, 1, 1, tzinfo=UTC)  # when its file was written


@dataclass
class TablePoints:
    """TablePoints of a series that stand together."""

    run: str
    key: str
    steps: "array[int]"
    values: "array[float]"
    times_ns: "array[int]"


def csv_runs(table: CsvTable, layout: Layout) -> Iterator[TableRun]:
    """The runs of a table; what of a row cannot be read is in the table's problems."""
    at = written(table.path)
    places = {meaning.column: table.columns.index(meaning.column) for meaning in layout.meanings}
    seen: dict[str, int] = {}
    for line, row in table.rows():
        run = TableRun(source="", at=at, is_ours=layout.is_ours)
        said: dict[str, Any] = {}
        for meaning in layout.meanings:
            cell = row[places[meaning.column]]
            if not (cell if layout.is_ours else cell.strip()):
                continue
            where = f"{table.path}, line {line}: column {meaning.column!r} holds {cell[:60]!r}"
            match meaning.role:
                case Role.FIELD:
                    _set_field(run, meaning.name, cell, where, table.problems, said)
                case Role.CONFIG:
                    _set_config(run.config, meaning.name, cells.from_cell(cell), is_ours=layout.is_ours)
                case Role.LABEL:
                    value = cells.from_cell(cell)
                    run.labels[meaning.name] = value if isinstance(value, str) else cell
                case Role.TAG:
                    value = cells.from_cell(cell)
                    if value is True:
                        run.tags.append(meaning.name)
                    elif value is not False:
                        run.tags.append(f"{meaning.name}={unguarded(cell)}")
                case Role.METRIC:
                    number = cells.number_in(cell)
                    if number is None and cells.from_cell(cell) is None:
                        continue
                    if number is None:
                        table.problems.append(f"{where}, which is no number.")
                    else:
                        key, statistic = metric_of(meaning.name)
                        run.metrics.setdefault(series_name(key), {})[statistic] = number
        run.source = _source(run, table.path, said, seen)
        run.name = run.name or (run.id if said.get("id") else f"{table.path.stem} {line - 1}")
        yield run


def _source(run: TableRun, path: Path, said: Mapping[str, Any], seen: dict[str, int]) -> str:
    if run.is_ours:
        return str(said.get("source") or f"runyard:{run.id}")
    if said.get("id"):
        return f"csv:{path.resolve()}#{said['id']}"
    text = json.dumps([run.name, run.seed, run.config], sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]
    seen[digest] = number = seen.get(digest, 0) + 1
    return f"csv:{path.resolve()}#{digest}-{number}"


def _set_field(run: TableRun, name: str, cell: str, where: str, problems: list[str], said: dict[str, Any]) -> None:
    text = unguarded(cell)
    said[name] = text
    kind = FIELDS[name]
    if kind == "time":
        found = _moment(text)
        if found is None:
            problems.append(f"{where}, which is no time.")
        setattr(run, name, found)
    elif kind == "tags":
        listed = cells.from_cell(cell)
        separated = [each.strip() for each in (_SPLIT.split(text) if _SPLIT.search(text) else text.split())]
        run.tags += [str(each) for each in listed] if isinstance(listed, list) else [each for each in separated if each]
    elif name == "seed":
        number = cells.number_in(cell)
        if number is None or not number.is_integer():
            problems.append(f"{where}, which is no seed.")
        else:
            run.seed = int(cells.from_cell(cell))
    elif name == "state":
        state = _STATES.get(text.strip().upper())
        if state is None:
            problems.append(f"{where}, which is no state; the run counts as completed.")
        run.state = state or RunState.COMPLETED
    elif name not in ("duration_s", "source"):
        setattr(run, name, text)


def _step(cell: str) -> int | None:
    """The whole number in a cell, exactly; None if there is none that a step can be."""
    value = cells.from_cell(cell.strip())
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_step = isinstance(value, int) and not isinstance(value, bool) and -_LARGEST_STEP <= value < _LARGEST_STEP
    return value if is_step else None


def _set_config(config: dict[str, Any], name: str, value: Any, *, is_ours: bool) -> None:
    put(config, parts(name) if is_ours else tuple(name.split(".")) if all(name.split(".")) else (name,), value)


def csv_points(table: CsvTable) -> Iterator[TablePoints]:
    """The points of a table that `--series` wrote, as they stand together."""
    places = [table.columns.index(name) for name in ("run", "key", "step", "value")]
    time_at = table.columns.index("time") if "time" in table.columns else None
    at_ns = to_ns(written(table.path))
    found: TablePoints | None = None
    for line, row in table.rows():
        run, key, step_cell, value_cell = (row[place] for place in places)
        step, value = _step(step_cell), cells.number_in(value_cell)
        time_ns = at_ns if time_at is None or not row[time_at] else _time_ns(row[time_at])
        if step is None or value is None or time_ns is None:
            bad = value_cell if value is None else step_cell if time_ns is not None else row[time_at or 0]
            what = "value" if value is None else "step" if time_ns is not None else "time"
            table.problems.append(f"{table.path}, line {line}: column {what!r} holds {bad[:60]!r}, which is no {what}.")
            continue
        name = series_name(unguarded(key))
        if found is None or (found.run, found.key) != (run, name) or len(found.steps) >= _POINTS:
            if found is not None:
                yield found
            found = TablePoints(run, name, array("q"), array("d"), array("q"))
        found.steps.append(step)
        found.values.append(value)
        found.times_ns.append(time_ns)
    if found is not None:
        yield found


def csv_history(table: CsvTable, layout: Layout, run: TableRun) -> list[TablePoints]:
    """The series of a file that is one run; settings and tags are those of its last line."""
    places = {meaning: table.columns.index(meaning.column) for meaning in layout.meanings}
    step_at = next(place for meaning, place in places.items() if meaning.role is Role.STEP)
    time_at = next((place for meaning, place in places.items() if meaning.role is Role.TIME), None)
    metrics = [(meaning, place) for meaning, place in places.items() if meaning.role is Role.METRIC]
    columns = {m: TablePoints("", series_name(m.name), array("q"), array("d"), array("q")) for m, _ in metrics}
    at_ns = to_ns(run.at)
    for line, row in table.rows():
        step = _step(row[step_at])
        if step is None:
            table.problems.append(f"{table.path}, line {line}: {row[step_at][:60]!r} is no step.")
            continue
        time_ns = at_ns if time_at is None or not row[time_at].strip() else _time_ns(row[time_at])
        if time_ns is None:
            table.problems.append(f"{table.path}, line {line}: {row[time_at or 0][:60]!r} is no time.")
            time_ns = at_ns
        for meaning, place in metrics:
            cell = row[place]
            if not cell.strip():
                continue
            value = cells.number_in(cell)
            if value is None:
                where = f"{table.path}, line {line}: column {meaning.column!r} holds {cell[:60]!r}"
                table.problems.append(f"{where}, which is no number.")
                continue
            points = columns[meaning]
            points.steps.append(step)
            points.values.append(value)
            points.times_ns.append(time_ns)
        for meaning, place in places.items():
            if meaning.role is Role.CONFIG and row[place].strip():
                _set_config(run.config, meaning.name, cells.from_cell(row[place]), is_ours=False)
            elif meaning.role is Role.TAG and row[place].strip() and row[place] not in run.tags:
                run.tags.append(row[place])
    return [points for points in columns.values() if len(points.steps)]


def json_runs(table: JsonTable) -> Iterator[TableRun]:
    """The runs of a file of JSON Lines."""
    at = written(table.path)
    for line, found in table.rows():
        if "steps" in found:
            continue  # points
        run_id = found.get("id")
        if not isinstance(run_id, str) or not run_id:
            table.problems.append(f"{table.path}, line {line}: it is neither a run nor points of one: it has no 'id'.")
            continue
        code = found.get("code") if isinstance(found.get("code"), dict) else {}
        texts = {name: found[name] for name in FIELDS if FIELDS[name] == "text" and isinstance(found.get(name), str)}
        state = _STATES.get(str(texts.pop("state", "")))
        if state is None:
            table.problems.append(
                f"{table.path}, line {line}: {found.get('state')!r} is no state; it counts as completed."
            )
        source = texts.pop("source", "")
        config, labels, seed = found.get("config"), found.get("labels"), found.get("seed")
        metrics, tags = found.get("metrics"), found.get("tags")
        yield TableRun(
            source=source or f"runyard:{run_id}",
            **texts,
            state=state or RunState.COMPLETED,
            tags=[str(each) for each in tags] if isinstance(tags, list) else [],
            seed=seed if isinstance(seed, int) and not isinstance(seed, bool) else None,
            commit=str((code or {}).get("commit") or ""),
            branch=str((code or {}).get("branch") or ""),
            created_at=_moment(found.get("created_at")),
            started_at=_moment(found.get("started_at")),
            ended_at=_moment(found.get("ended_at")),
            config=_special(config) if isinstance(config, dict) else {},
            labels={str(key): str(text) for key, text in labels.items()} if isinstance(labels, dict) else {},
            metrics=_metrics(metrics) if isinstance(metrics, dict) else {},
            is_ours=True,
            at=at,
        )


def _metrics(found: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Statistics of each metric, as far as they are numbers."""
    metrics: dict[str, dict[str, float]] = {}
    for key, statistics in found.items():
        said = {name: _special(each) for name, each in (statistics.items() if isinstance(statistics, dict) else ())}
        metrics[series_name(key)] = {name: float(each) for name, each in said.items() if isinstance(each, int | float)}
    return metrics


def json_points(table: JsonTable) -> Iterator[TablePoints]:
    """The points of a file of JSON Lines."""
    before = list(table.problems)
    for line, found in table.rows():
        if "steps" not in found:
            continue
        try:
            steps = array("q", found["steps"])
            values = array("d", [float(_special(each)) for each in found["values"]])
            times = array("q", found["times_ns"])
            if not len(steps) == len(values) == len(times):
                raise ValueError(f"{len(steps)} steps, {len(values)} values and {len(times)} times")
            points = TablePoints(str(found["run"]), series_name(str(found["key"])), steps, values, times)
        except (KeyError, TypeError, ValueError, OverflowError) as problem:
            table.problems.append(f"{table.path}, line {line}: its points cannot be read: {problem}.")
            continue
        yield points
    table.problems = [each for each in table.problems if each not in before]


def _special(value: Any) -> Any:
    """Numbers that JSON lacks, of the texts that stand for them."""
    if isinstance(value, str):
        return _SPECIAL.get(value, value)
    if isinstance(value, dict):
        return {key: _special(each) for key, each in value.items()}
    return [_special(each) for each in value] if isinstance(value, list) else value


def _moment(value: Any) -> datetime | None:
    time_ns = _time_ns(value) if isinstance(value, str) else None
    return None if time_ns is None else from_ns(time_ns)


def _time_ns(text: str) -> int | None:
    """Nanoseconds since 1970 of an ISO time, or of a number of seconds or milliseconds; None if it is no time."""
    number = cells.number_in(text)
    if number is not None:
        seconds = number / 1000 if abs(number) >= _MILLISECONDS else number
        return round(seconds * 1e6) * 1000 if abs(seconds) < _MILLISECONDS else None
    match = re.fullmatch(r"(.*\d:\d\d:\d\d)\.(\d{7,9})(Z|[+-]\d\d:?\d\d)?", text.strip())
    extra = 0
    if match:  # more digits than a datetime has
        digits = match[2].ljust(9, "0")
        text, extra = f"{match[1]}.{digits[:6]}{match[3] or ''}", int(digits[6:])
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return to_ns(found if found.tzinfo else found.replace(tzinfo=UTC)) + extra


def written(path: Path) -> datetime:
    """When a file was last written; aware, UTC."""
    return datetime.fromtimestamp(os.stat(path).st_mtime, UTC)
