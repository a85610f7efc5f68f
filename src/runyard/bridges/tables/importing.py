"""Taking in tables: runs, points and histories, each run once, however often its file is brought.

A run that `runyard export` wrote is known by where it came from, else by the id that it had there; one of a foreign
table by its file and the column `id`, else by its file and its settings, so that lines may be moved; a history by its
file.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from runyard.bridges.intake import Arriving, Foreign, Imported, begin
from runyard.bridges.tables.guessing import Choices, Kind, Layout, guess
from runyard.bridges.tables.reading import CsvTable, JsonTable, open_csv, open_json
from runyard.bridges.tables.runs import (
    TablePoints,
    TableRun,
    csv_history,
    csv_points,
    csv_runs,
    json_points,
    json_runs,
    written,
)
from runyard.client import Client
from runyard.errors import JournalDamaged, RunyardError, ServiceError
from runyard.index.rows import from_ns, to_ns
from runyard.records import RunState

Progress = Callable[[int, int], None]


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
        self._runs: dict[str, TableRun] = {}  # by source
        self._by_id: dict[str, TableRun] = {}
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

    def _collect(self, table: CsvTable | JsonTable, runs: Iterator[TableRun]) -> None:
        for run in runs:
            if run.source in self._runs:
                self._done.problems.append(f"{table.path}: {run.source[-80:]!r} is there twice; the first one counts.")
                continue
            self._runs[run.source] = run
            if run.id:
                self._by_id.setdefault(run.id, run)
        self._done.problems += table.problems

    def _bring(
        self,
        tables: Sequence[CsvTable | JsonTable],
        points: Sequence[tuple[CsvTable | JsonTable, Iterator[TablePoints]]],
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

    def _unknown(self, run_id: str, table: CsvTable | JsonTable) -> TableRun:
        """A run of which only points are given."""
        run = TableRun(source=f"runyard:{run_id}", id=run_id, name=run_id, at=written(table.path))
        self._runs[run.source] = self._by_id[run_id] = run
        return run

    def _begin(self, run: TableRun) -> Arriving:
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

    def _add(self, run: TableRun, groups: Iterable[TablePoints]) -> None:
        with self._begin(run) as arriving:
            for points in groups:
                if not arriving.is_complete:
                    self._done.points += self._new_points(arriving, run.source, points)

    def _new_points(self, arriving: Arriving, source: str, points: TablePoints) -> int:
        place = (source, points.key)
        passed = self._passed.get(place, 0)
        skip = min(max(arriving.known.points.get(points.key, 0) - passed, 0), len(points.steps))
        self._passed[place] = passed + len(points.steps)
        arriving.points(
            points.key, points.steps[skip:], points.values[skip:], points.times_ns[skip:], host=_is_host(points.key)
        )
        return len(points.steps) - skip

    def _finish(self, run: TableRun) -> None:
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
        run = TableRun(source=f"csv:{table.path.resolve()}", name=table.path.stem, at=written(table.path))
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


def _foreign(run: TableRun, project: str) -> Foreign:
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
