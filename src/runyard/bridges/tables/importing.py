"""Taking in tables: runs, points and histories, each run once, however often its file is brought.

A run that `runyard export` wrote is known by where it came from, else by the id that it had there; one of a foreign
table by its file and the column `id`, else by its file and its settings, so that lines may be moved; a history by its
file.
"""

import hashlib
import json
import math
import os
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from runyard.bridges.intake import Arriving, Foreign, Imported, begin, series_name
from runyard.bridges.tables import cells
from runyard.bridges.tables.columns import FIELDS, metric_of, parts
from runyard.bridges.tables.guessing import Choices, Kind, Layout, Role, guess
from runyard.bridges.tables.reading import CsvTable, JsonTable, open_csv, open_json
from runyard.bridges.trees import put
from runyard.client import Client
from runyard.errors import JournalDamaged, RunyardError, ServiceError
from runyard.formulas import unguarded
from runyard.index.rows import from_ns, to_ns
from runyard.records import RunState

Progress = Callable[[int, int], None]

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
class _Run:
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
class _Points:
    """Points of a series that stand together."""

    run: str
    key: str
    steps: "array[int]"
    values: "array[float]"
    times_ns: "array[int]"


def take_in(
    client: Client,
    paths: Sequence[Path],
    *,
    kind: str,
    project: str | None,
    default: str,
    choices: Choices | None = None,
    progress: Progress = lambda done, total: None,
) -> Imported:
    """Bring what files hold. Tables of runs and of their points belong together when they are given together.

    Args:
        kind: "csv" or "json".
        project: where to; None: where the file says, else `default`.
        progress: called with bytes done and bytes in all.

    Raises:
        UsageError: a file is not there, or cannot be understood.
        NotAllowed, ServiceError: nothing more can be brought; what was brought so far is here.
    """
    done = Imported()
    intake = _Intake(client, done, project=project, default=default, progress=progress)
    if kind == "json":
        intake.take_json([open_json(path) for path in paths])
    else:
        tables = [open_csv(path) for path in paths]
        intake.take_csv([(table, guess(table, choices or Choices())) for table in tables])
    return done


class _Intake:
    """An import on its way."""

    def __init__(
        self, client: Client, done: Imported, *, project: str | None, default: str, progress: Progress
    ) -> None:
        self._client = client
        self._done = done
        self._project = project
        self._default = default
        self._progress = progress
        self._runs: dict[str, _Run] = {}  # by source
        self._by_id: dict[str, _Run] = {}
        self._passed: dict[tuple[str, str], int] = {}  # by source and key: how many points were met
        self._touched: set[str] = set()  # sources of runs that were counted

    def take_csv(self, tables: Sequence[tuple[CsvTable, Layout]]) -> None:
        """Bring files of CSV."""
        for table, layout in tables:
            if layout.kind is Kind.RUNS:
                self._collect(table, csv_runs(table, layout))
        self._bring(
            [table for table, _ in tables],
            [(table, csv_points(table)) for table, layout in tables if layout.kind is Kind.POINTS],
        )
        for table, layout in tables:
            if layout.kind is Kind.HISTORY:
                with self._telling(str(table.path)):
                    self._history(table, layout)

    def take_json(self, tables: Sequence[JsonTable]) -> None:
        """Bring files of JSON Lines."""
        for table in tables:
            self._collect(table, json_runs(table))
        self._bring(tables, [(table, json_points(table)) for table in tables])

    def _collect(self, table: CsvTable | JsonTable, runs: Iterator[_Run]) -> None:
        for run in runs:
            if run.source in self._runs:
                self._done.problems.append(f"{table.path}: {run.source[-80:]!r} is there twice; the first one counts.")
                continue
            self._runs[run.source] = run
            if run.id:
                self._by_id.setdefault(run.id, run)
        self._done.problems += table.problems

    def _bring(
        self, tables: Sequence[CsvTable | JsonTable], points: Sequence[tuple[CsvTable | JsonTable, Iterator[_Points]]]
    ) -> None:
        here = self._client.index.known([run.id for run in self._runs.values() if run.is_ours])
        total = sum(table.size_bytes for table in tables)
        for table, found in points:
            for run_id, group in groupby(found, key=lambda each: each.run):
                if run_id in here or (run_id not in self._by_id and self._client.index.known([run_id])):
                    continue
                run = self._by_id.get(run_id) or self._unknown(run_id, table)
                with self._telling(f"run {run.name or run.source}"):
                    self._add(run, group)
                self._progress(min(sum(each.bytes_read for each in tables), total), total)
            self._done.problems += table.problems
        for run in self._runs.values():
            if run.is_ours and run.id in here:
                self._done.known += 1
                continue
            with self._telling(f"run {run.name or run.source}"):
                self._finish(run)
        self._progress(total, total)

    @contextmanager
    def _telling(self, place: str) -> Iterator[None]:
        """What goes wrong with one run is told, and the next one comes."""
        try:
            yield
        except JournalDamaged as problem:
            self._done.problems.append(f"{place} was not taken in whole: {problem}")
        except ServiceError:
            raise
        except (RunyardError, ValueError, OSError) as problem:
            self._done.problems.append(f"{place} was not taken in whole: {problem}")

    def _unknown(self, run_id: str, table: CsvTable | JsonTable) -> _Run:
        """A run of which only points are given."""
        run = _Run(source=f"runyard:{run_id}", id=run_id, name=run_id, at=_written(table.path))
        self._runs[run.source] = self._by_id[run_id] = run
        return run

    def _begin(self, run: _Run) -> Arriving:
        arriving = begin(self._client, _foreign(run, self._project or run.project or self._default))
        if run.source not in self._touched:
            self._touched.add(run.source)
            if arriving.is_new:
                self._done.new += 1
            elif arriving.is_complete:
                self._done.known += 1
            else:
                self._done.continued += 1
        return arriving

    def _add(self, run: _Run, groups: Iterable[_Points]) -> None:
        with self._begin(run) as arriving:
            for points in groups:
                if not arriving.is_complete:
                    self._done.points += self._new_points(arriving, run.source, points)

    def _new_points(self, arriving: Arriving, source: str, points: _Points) -> int:
        place = (source, points.key)
        passed = self._passed.get(place, 0)
        skip = min(max(arriving.known.points.get(points.key, 0) - passed, 0), len(points.steps))
        self._passed[place] = passed + len(points.steps)
        arriving.points(
            points.key, points.steps[skip:], points.values[skip:], points.times_ns[skip:], host=_is_host(points.key)
        )
        return len(points.steps) - skip

    def _finish(self, run: _Run) -> None:
        with self._begin(run) as arriving:
            if arriving.is_complete:
                return
            at = run.ended_at or run.started_at or run.created_at or run.at
            if run.started_at is not None or run.state not in (RunState.QUEUED, RunState.HELD):
                for key, statistics in run.metrics.items():
                    if (run.source, key) not in self._passed and key not in arriving.known.points:
                        self._done.points += _summarised(arriving, key, statistics, to_ns(at))
            if arriving.is_new or not arriving.known.state:
                if run.labels:
                    arriving.label(run.labels, at=run.created_at or at)
                if run.state.is_ended:
                    arriving.end(run.state, at=at, reason=run.reason)

    def _history(self, table: CsvTable, layout: Layout) -> None:
        """A file that is one run."""
        run = _Run(source=f"csv:{table.path.resolve()}", name=table.path.stem, at=_written(table.path))
        columns = csv_history(table, layout, run)
        times = [int(points.times_ns[0]) for points in columns if len(points.times_ns)]
        run.created_at = run.started_at = from_ns(min(times, default=to_ns(run.at)))
        run.ended_at = from_ns(
            max((max(points.times_ns) for points in columns if len(points.times_ns)), default=to_ns(run.at))
        )
        known = begin(self._client, _foreign(run, self._project or self._default))
        row = self._client.index.get(known.id)
        counts = {key: found.count for key, found in row.summary.items()}
        has_more = any(len(points.steps) > counts.get(points.key, 0) for points in columns)
        if known.is_complete and not row.trashed and has_more:
            known.go_on(at=run.ended_at)
        with known as arriving:
            if arriving.is_complete:
                self._done.known += 1
            else:
                for points in columns:
                    self._done.points += self._new_points(arriving, run.source, points)
                arriving.end(RunState.COMPLETED, at=run.ended_at)
                self._done.new += arriving.is_new
                self._done.continued += not arriving.is_new
        self._done.problems += table.problems


# ---- what files hold ----


def csv_runs(table: CsvTable, layout: Layout) -> Iterator[_Run]:
    """The runs of a table; what of a row cannot be read is in the table's problems."""
    at = _written(table.path)
    places = {meaning.column: table.columns.index(meaning.column) for meaning in layout.meanings}
    seen: dict[str, int] = {}
    for line, row in table.rows():
        run = _Run(source="", at=at, is_ours=layout.is_ours)
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


def _source(run: _Run, path: Path, said: Mapping[str, Any], seen: dict[str, int]) -> str:
    if run.is_ours:
        return str(said.get("source") or f"runyard:{run.id}")
    if said.get("id"):
        return f"csv:{path.resolve()}#{said['id']}"
    text = json.dumps([run.name, run.seed, run.config], sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16]
    seen[digest] = number = seen.get(digest, 0) + 1
    return f"csv:{path.resolve()}#{digest}-{number}"


def _set_field(run: _Run, name: str, cell: str, where: str, problems: list[str], said: dict[str, Any]) -> None:
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


def csv_points(table: CsvTable) -> Iterator[_Points]:
    """The points of a table that `--series` wrote, as they stand together."""
    places = [table.columns.index(name) for name in ("run", "key", "step", "value")]
    time_at = table.columns.index("time") if "time" in table.columns else None
    at_ns = to_ns(_written(table.path))
    found: _Points | None = None
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
            found = _Points(run, name, array("q"), array("d"), array("q"))
        found.steps.append(step)
        found.values.append(value)
        found.times_ns.append(time_ns)
    if found is not None:
        yield found


def csv_history(table: CsvTable, layout: Layout, run: _Run) -> list[_Points]:
    """The series of a file that is one run; settings and tags are those of its last line."""
    places = {meaning: table.columns.index(meaning.column) for meaning in layout.meanings}
    step_at = next(place for meaning, place in places.items() if meaning.role is Role.STEP)
    time_at = next((place for meaning, place in places.items() if meaning.role is Role.TIME), None)
    metrics = [(meaning, place) for meaning, place in places.items() if meaning.role is Role.METRIC]
    columns = {m: _Points("", series_name(m.name), array("q"), array("d"), array("q")) for m, _ in metrics}
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


def json_runs(table: JsonTable) -> Iterator[_Run]:
    """The runs of a file of JSON Lines."""
    at = _written(table.path)
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
        yield _Run(
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


def json_points(table: JsonTable) -> Iterator[_Points]:
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
            points = _Points(str(found["run"]), series_name(str(found["key"])), steps, values, times)
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


def _foreign(run: _Run, project: str) -> Foreign:
    created = run.created_at or run.started_at or run.ended_at or run.at
    began = run.started_at
    if began is None and not run.is_ours and run.state not in (RunState.QUEUED, RunState.HELD):
        began = created  # a table that does not say when
    return Foreign(
        source=run.source,
        project=project,
        name=run.name,
        experiment=run.experiment or None,
        created_at=created,
        started_at=began,
        config=run.config,
        seed=run.seed if run.seed is not None or run.is_ours else _seed_of(run.config),
        tags=tuple(run.tags),
        note=run.note,
        parent=f"runyard:{run.parent}" if run.parent else None,
        user=run.user,
        host=run.host,
        commit=run.commit or None,
        branch=run.branch or None,
    )


def _seed_of(config: Mapping[str, Any]) -> int | None:
    seed = config.get("seed")
    return seed if isinstance(seed, int) and not isinstance(seed, bool) else None


def _summarised(run: Arriving, key: str, statistics: Mapping[str, float], time_ns: int) -> int:
    """Bring what a table tells of a series: its extremes and its last point, from which the same summary follows."""
    pairs = [(statistics.get(f"{name}_step", 0.0), statistics[name]) for name in ("min", "max") if name in statistics]
    last = (statistics.get("last_step", 0.0), statistics["last"]) if "last" in statistics else None
    if "" in statistics:
        last = (0.0, statistics[""])
    points = [each for each in sorted(set(pairs)) if each != last] + ([last] if last else [])
    steps = np.array([int(step) for step, _ in points], np.int64)
    run.points(
        key,
        steps,
        np.array([value for _, value in points]),
        np.full(len(points), time_ns, np.int64),
        host=_is_host(key),
    )
    return len(points)


def _is_host(key: str) -> bool:
    return key.startswith("sys/")


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


def _written(path: Path) -> datetime:
    return datetime.fromtimestamp(os.stat(path).st_mtime, UTC)
