"""The index: journals become rows, and rows become answers.

`apply` takes bytes of a stream exactly once. All that it changes (the stream's state, the run's row,
chunks, media) goes into one transaction, so that after a crash the stored offset and the rows agree.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, select

from runyard.database import Database, again_after_deadlock, analyze, lock_runs
from runyard.database.schema import (
    INDEX_TABLES,
    artifacts,
    media,
    run_documents,
    run_metrics,
    runs,
    streams,
)
from runyard.errors import JournalDamaged, NotFound
from runyard.index import entries, finding, folders
from runyard.index.fields import Condition
from runyard.index.merge import ended_attempts
from runyard.index.rows import ArtifactRow, MediaRow, RunRow, artifact_row, from_ns
from runyard.index.scope import EVERYTHING, Scope
from runyard.index.states import MetricState
from runyard.journal import EDITS, Home, RunFolder
from runyard.journal.events import Environment, Failed
from runyard.journal.pieces import Piece
from runyard.records import RunId, RunSpec, RunState, decode_spec

if TYPE_CHECKING:
    from runyard.index.series import Buckets, Series
    from runyard.index.told import Told

_TRIMMED_AT_MOST = 10_000
_AT_ONCE = 500
_MOST_BY_ONE = 5000  # ids that are looked up; of more, the list of all is faster
_MANY = 200  # new runs; enough to change how queries are best answered
_OFFSETS = select(streams.c.run_id, streams.c.attempt, streams.c.stream, streams.c.offset).where(
    streams.c.run_id.in_(bindparam("ids", expanding=True))
)
_REMOVALS = [
    delete(table).where((table.c.id if table is runs else table.c.run_id).in_(bindparam("ids", expanding=True)))
    for table in INDEX_TABLES
]


class Index:
    """The searchable copy of all runs of a home.

    Threads and processes may share one database; each process has its own `Index`.
    """

    def __init__(self, database: Database, home: Home) -> None:
        self.database = database
        self.home = home
        self.scope = EVERYTHING
        self._trimmed: OrderedDict[tuple[str, int, str, int, int], MetricState | None] = OrderedDict()
        self._seen = folders.Seen()

    @property
    def needs_reindex(self) -> bool:
        """Whether the tables are new, so that runs of the folders may be missing."""
        return self.database.needs_reindex

    def within(self, scope: Scope) -> "Index":
        """This index as somebody sees it who may see no more: all questions are answered from `scope` alone."""
        limited = copy(self)
        limited.scope = scope
        return limited

    # ---- filling ----

    def add_run(self, spec: RunSpec) -> None:
        """Add a run that was asked for; one that is known is left as it is."""
        self.add_runs([spec])

    @again_after_deadlock
    def add_runs(self, specs: Sequence[RunSpec], *, connection: Connection | None = None) -> None:
        """Add runs, in the caller's transaction if there is one."""
        with self._writing(connection) as tx:
            entries.insert_runs(tx, specs)
            if len(specs) >= _MANY:
                analyze(tx)

    def apply(
        self, run_id: str, attempt: int, stream: str, offset: int, data: bytes, *, connection: Connection | None = None
    ) -> int:
        """Take `data`, the bytes of a stream from `offset` on; return up to where the stream is understood now.

        What is known already is skipped, an incomplete or damaged tail is left to be delivered again.

        Raises:
            ValueError: bytes are missing between what is known and `offset`.
            NotFound: the run is unknown, and its folder is not here.
            JournalDamaged: this is no journal, or the journal of something else.
            FormatUnknown: a newer Runyard wrote it.
        """
        return self.apply_many([Piece(run_id, attempt, stream, offset, data)], connection=connection)[0]

    @again_after_deadlock
    def apply_many(self, pieces: Sequence[Piece], *, connection: Connection | None = None) -> list[int]:
        """Take pieces of many streams, all or none of them; return up to where each is understood now.

        Raises:
            ValueError, NotFound, JournalDamaged, FormatUnknown: as `apply`, of any of them.
        """
        from runyard.index import writing  # late, as below: it loads NumPy, which most questions do not need

        with self._writing(connection) as tx:
            return writing.apply(self, tx, pieces)

    def catch_up(self, run_id: str | None = None) -> list[str]:
        """Apply what is new in the folder of a run, or of all runs that have not ended; return what went wrong.

        Runs that the index has never heard of are added. A journal that is shorter than what was
        applied (somebody repaired it) is folded anew.
        """
        return folders.catch_up(self, run_id)

    def reindex(self, progress: Callable[[int, int], None] | None = None) -> int:
        """Rebuild all rows from the folders, trash included; return the number of runs.

        `progress` is called with how many runs are done, and of how many.
        """
        return folders.reindex(self, progress)

    @again_after_deadlock
    def remove(self, run_ids: Collection[str], *, connection: Connection | None = None) -> None:
        """Forget runs whose folders are gone."""
        with self._writing(connection) as tx:
            lock_runs(tx, run_ids)
            for ids in _batches(sorted(run_ids)):
                for statement in _REMOVALS:
                    tx.execute(statement, {"ids": ids})

    # ---- asking for runs ----

    def find(
        self,
        query: str | None = None,
        *,
        project: str | None = None,
        sort: str = "-created_at",
        limit: int | None = None,
        offset: int = 0,
        trashed: bool | None = False,
    ) -> list[RunRow]:
        """Runs that a query matches (see docs/query-language.md), sorted; ties are broken by id.

        Args:
            sort: a field, or "metric:<key>.max"; a minus in front sorts downwards. Runs without it come last.
            trashed: None for runs in the trash and others together.

        Raises:
            QueryError: the query or the sort field cannot be understood.
        """
        with self.database.read() as tx:
            condition = finding.condition(tx, query, project=project, trashed=trashed, scope=self.scope, sort=sort)
            ids = finding.sorted_ids(tx, condition, sort=sort, limit=limit, offset=offset)
            return finding.rows(tx, ids)

    def count(self, query: str | None = None, *, project: str | None = None, trashed: bool | None = False) -> int:
        """How many runs a query matches."""
        with self.database.read() as tx:
            condition = self.condition(tx, query, project=project, trashed=trashed)
            return tx.execute(select(func.count()).select_from(runs).where(condition)).scalar_one()

    def condition(
        self, tx: Connection, query: str | None, *, project: str | None = None, trashed: bool | None = False
    ) -> Condition:
        """What a row of `runs` must fulfil to be found; for statements of one's own.

        Raises:
            QueryError: the query cannot be understood.
        """
        return finding.condition(tx, query, project=project, trashed=trashed, scope=self.scope)

    def visible(self, run_ids: Iterable[str]) -> list[str]:
        """Those of the ids whose runs may be seen, in their order."""
        if self.scope.is_everything:
            return list(run_ids)
        with self.database.read() as tx:
            return self.scope.visible(tx, run_ids)

    def require(self, run_id: str) -> None:
        """Make sure that a run may be seen; costs nothing where everything may be.

        Raises:
            NotFound: it may not, or there is none.
        """
        if not self.scope.is_everything and not self.visible([run_id]):
            raise _missing(run_id, self.home)

    def get(self, run_id: str) -> RunRow:
        """The run with this id, trashed or not.

        Raises:
            NotFound: there is none.
        """
        with self.database.read() as tx:
            found = finding.rows(tx, [run_id])
        if not found or not self.scope.allows(found[0].project):
            raise _missing(run_id, self.home)
        return found[0]

    def resolve(self, text: str) -> RunId:
        """The run that a person means by an id, the beginning of one, or a name.

        Raises:
            NotFound: none; the message names those that look alike.
            UsageError: several; the message lists them.
        """
        with self.database.read() as tx:
            return finding.resolve(tx, text, self.scope)

    def known(self, run_ids: Sequence[str]) -> set[str]:
        """Those of the ids that the index has a run for, whoever may see it."""
        with self.database.read() as tx:
            return _known(tx, run_ids)

    def failures_like(self, grid: str, fingerprint: str) -> int:
        """How many runs of a grid stand as FAILED in the very same way."""
        with self.database.read() as tx:
            return tx.execute(
                select(func.count()).where(
                    runs.c.grid == grid, runs.c.fingerprint == fingerprint, runs.c.state == RunState.FAILED
                )
            ).scalar_one()

    def failure(self, run_id: str) -> Failed | None:
        """The exception of the latest attempt that raised one, with its traceback."""
        from runyard.index import writing

        self.require(run_id)
        with self.database.read() as tx:
            states = writing.load_states(tx, run_id)
        found = [(attempt, stream, state.failed) for (attempt, stream), state in states.items() if state.failed]
        return max(found, key=lambda item: item[:2])[2] if found else None

    def environment(self, run_id: str, attempt: int) -> Environment | None:
        """What an attempt ran in, as its supervisor found it."""
        from runyard.index import writing

        self.require(run_id)
        with self.database.read() as tx:
            for (number, _), state in writing.load_states(tx, run_id).items():
                if number == attempt and state.environment:
                    return state.environment
        return None

    # ---- asking for what runs logged ----

    def offset(self, run_id: str, attempt: int, stream: str) -> int:
        """Up to which byte a stream is understood; 0 if nothing of it has arrived."""
        self.require(run_id)
        with self.database.read() as tx:
            found = tx.scalar(
                select(streams.c.offset).where(
                    streams.c.run_id == run_id, streams.c.attempt == attempt, streams.c.stream == stream
                )
            )
        return found or 0

    def offsets(self, run_ids: Collection[str]) -> dict[tuple[str, int, str], int]:
        """The same of all streams of some runs, by run, attempt and stream, whoever may see them."""
        found: dict[tuple[str, int, str], int] = {}
        with self.database.read() as tx:
            for ids in _batches(run_ids):
                for row in tx.execute(_OFFSETS, {"ids": ids}):
                    found[row.run_id, row.attempt, row.stream] = row.offset
        return found

    def keys(self, run_id: str) -> list[str]:
        """The metrics of a run, sorted."""
        self.require(run_id)
        with self.database.read() as tx:
            found = select(run_metrics.c.key).where(run_metrics.c.run_id == run_id).order_by(run_metrics.c.key)
            return list(tx.scalars(found))

    def series(self, run_id: str, key: str, *, attempt: int | None = None, points: int | None = None) -> "Series":
        """All points of a metric, attempts joined: a later attempt replaces the steps from its first on.

        Args:
            attempt: only this attempt, whole.
            points: thin it to about so many points, extremes kept.

        Raises:
            NotFound: the run never logged it.
        """
        from runyard.index import reading
        from runyard.index.series import thin

        self.require(run_id)
        with self.database.read() as tx:
            found = reading.read_many(tx, self.journal_path, [run_id], key, attempt=attempt).get(run_id)
        if found is None:
            raise NotFound(
                f"Run {run_id} has no metric '{key}'. Its metrics: {', '.join(self.keys(run_id)) or 'none'}."
            )
        return thin(found, points) if points is not None else found

    def series_many(self, run_ids: Sequence[str], key: str) -> "dict[str, Series]":
        """The same metric of many runs, by run id; runs without it are missing."""
        from runyard.index import reading

        with self.database.read() as tx:
            return reading.read_many(tx, self.journal_path, self.scope.visible(tx, run_ids), key)

    def bucketed(
        self, run_id: str, key: str, buckets: int, *, start: int | None = None, stop: int | None = None
    ) -> "Buckets":
        """A metric in at most `buckets` pieces for drawing, optionally only the steps from `start` to `stop`.

        Raises:
            ValueError: fewer than 1 bucket is asked for.
        """
        from runyard.index.series import buckets_of_series, empty_series

        found = self.bucketed_many([run_id], key, buckets, start=start, stop=stop)
        return found[run_id] if run_id in found else buckets_of_series(empty_series(), buckets)

    def bucketed_many(
        self, run_ids: Sequence[str], key: str, buckets: int, *, start: int | None = None, stop: int | None = None
    ) -> "dict[str, Buckets]":
        """The same metric of many runs in buckets, by run id; runs without it are missing. See `bucketed`."""
        if buckets < 1:
            raise ValueError(f"{buckets} buckets hold nothing; ask for at least 1")
        from runyard.index import reading

        with self.database.read() as tx:
            ids = self.scope.visible(tx, run_ids)
            return reading.read_buckets(tx, self.journal_path, ids, key, buckets=buckets, start=start, stop=stop)

    def media(self, run_id: str, key: str | None = None) -> list[MediaRow]:
        """Where the images, tables and figures of a run lie, by key and step."""
        self.require(run_id)
        found = select(media).where(media.c.run_id == run_id)
        if key is not None:
            found = found.where(media.c.key == key)
        with self.database.read() as tx:
            order = (media.c.key, media.c.step, media.c.attempt, media.c.stream, media.c.offset)
            return [
                MediaRow(
                    run_id=RunId(row["run_id"]),
                    attempt=row["attempt"],
                    stream=row["stream"],
                    offset=row["offset"],
                    size=row["size"],
                    key=row["key"],
                    step=row["step"],
                    kind=row["kind"],
                    mime=row["mime"],
                    at=from_ns(row["time_ns"]),
                )
                for row in tx.execute(found.order_by(*order)).mappings()
            ]

    def artifacts(self, run_id: str) -> list[ArtifactRow]:
        """The stored files of a run, oldest first."""
        self.require(run_id)
        order = (artifacts.c.attempt, artifacts.c.time_ns, artifacts.c.offset)
        with self.database.read() as tx:
            found = tx.execute(select(artifacts).where(artifacts.c.run_id == run_id).order_by(*order))
            return [artifact_row(row) for row in found.mappings()]

    def may_read(self, sha256: str) -> bool:
        """Whether content belongs to a run that may be seen, or was logged by none, as the code of runs.

        Code is told apart by nothing but its hash, which only those know who see a run with it.
        """
        if self.scope.is_everything:
            return True
        logged = select(artifacts.c.run_id).where(artifacts.c.sha256 == sha256)
        with self.database.read() as tx:
            if tx.scalar(logged.limit(1)) is None:
                return True
            ours = logged.join(runs, runs.c.id == artifacts.c.run_id).where(self.scope.condition())
            return tx.scalar(ours.limit(1)) is not None

    def only_referenced_by(
        self, run_ids: Collection[str], *, also: Collection[str] = (), connection: Connection | None = None
    ) -> set[str]:
        """The artifacts (SHA-256) that these runs have and no other run has logged; `also` are further candidates."""
        ours: set[str] = set(also)
        others: set[str] = set()
        asked = set(run_ids)
        with self._writing(connection) as tx:
            for ids in _batches(asked):
                ours |= set(tx.scalars(select(artifacts.c.sha256).where(artifacts.c.run_id.in_(ids)).distinct()))
            for shas in _batches(ours):
                found = select(artifacts.c.sha256, artifacts.c.run_id).where(artifacts.c.sha256.in_(shas)).distinct()
                others |= {sha256 for sha256, run_id in tx.execute(found) if run_id not in asked}
        return ours - others

    def told(self, run_ids: Sequence[str]) -> "dict[str, Told]":
        """Of each run, by its id, the settings as another tracker wrote them, and its latest points."""
        from runyard.index import told

        with self.database.read() as tx:
            return told.told(tx, self.scope.visible(tx, run_ids))

    def artifacts_of_kind(self, run_ids: Sequence[str], kind: str) -> dict[str, list[ArtifactRow]]:
        """The stored files of one kind ("model", "dataset") of each run that has any, oldest first."""
        from runyard.index import told

        with self.database.read() as tx:
            return told.artifacts_of_kind(tx, self.scope.visible(tx, run_ids), kind)

    def experiments(self, project: str) -> dict[str, datetime]:
        """The experiments of a project's runs, those of the trash included, and when the first run of each was made."""
        if not self.scope.allows(project):
            return {}
        named = select(runs.c.experiment, func.min(runs.c.created_ns))
        ours = named.where(runs.c.project == project, runs.c.experiment.is_not(None)).group_by(runs.c.experiment)
        with self.database.read() as tx:
            return {name: from_ns(first_ns) for name, first_ns in tx.execute(ours)}

    def open_attempts(self, run_id: str) -> set[int]:
        """The attempts of a run that began, and of which nobody said that they ended."""
        from runyard.index import writing

        with self.database.read() as tx:
            states = writing.load_states(tx, run_id)
        return {attempt for attempt, _ in states if attempt} - ended_attempts(states)

    # ---- where things lie ----

    def folder(self, run_id: str) -> RunFolder:
        """The folder of a run, or its place in the trash."""
        folder = self.home.run(run_id)
        return folder if folder.path.is_dir() else RunFolder(self.home.trash / folder.id)

    def journal_path(self, run_id: str, attempt: int, stream: str) -> Path:
        """Where a journal lies."""
        folder = self.folder(run_id)
        return folder.edits if stream == EDITS else folder.attempt(attempt).journal(stream)

    def read_spec(self, run_id: str) -> RunSpec:
        """The run.json of a run.

        Raises:
            NotFound: there is none.
            JournalDamaged: it cannot be read.
        """
        path = self.folder(run_id).spec
        try:
            spec = decode_spec(path.read_bytes())
        except FileNotFoundError:
            raise NotFound(f"There is no run '{run_id}' in {self.home.path}. `runyard runs` lists them.") from None
        except msgspec.MsgspecError as problem:
            raise JournalDamaged(f"{path} is no run.json: {problem}") from None
        if spec.id != run_id:
            raise JournalDamaged(f"{path} belongs to run {spec.id}. Was the folder renamed?")
        return spec

    def trimmed(
        self, tx: Connection, run_id: str, attempt: int, key: str, *, cut: int, count: int
    ) -> MetricState | None:
        """Sum up the points of an attempt below step `cut`. Remembered: they stay while a later attempt runs."""
        from runyard.index import reading
        from runyard.index.fold import metric_state

        asked = (run_id, attempt, key, cut, count)
        if asked not in self._trimmed:
            series = reading.read_many(tx, self.journal_path, [run_id], key, attempt=attempt).get(run_id)
            kept = None
            if series is not None:
                mask = series.steps < cut
                if mask.any():
                    kept = metric_state(series.steps[mask], series.times[mask], series.values[mask])
            self._trimmed[asked] = kept
            if len(self._trimmed) > _TRIMMED_AT_MOST:
                self._trimmed.popitem(last=False)
        return self._trimmed[asked]

    @property
    def seen(self) -> "folders.Seen":
        """What `catch_up` remembers between its calls."""
        return self._seen

    @contextmanager
    def _writing(self, connection: Connection | None) -> Iterator[Connection]:
        if connection is not None:
            yield connection
            return
        with self.database.transaction() as tx:
            yield tx


def _missing(run_id: str, home: Home) -> NotFound:
    return NotFound(f"There is no run '{run_id}' in {home.path}. `runyard runs` lists them.")


def _known(tx: Connection, run_ids: Sequence[str]) -> set[str]:
    if len(run_ids) > _MOST_BY_ONE:
        return set(tx.scalars(select(run_documents.c.run_id))) & set(run_ids)
    found: set[str] = set()
    for ids in _batches(run_ids):
        found |= set(tx.scalars(select(run_documents.c.run_id).where(run_documents.c.run_id.in_(ids))))
    return found


def _batches(items: Iterable[str]) -> Iterator[list[str]]:
    listed = list(items)
    for begin in range(0, len(listed), _AT_ONCE):
        yield listed[begin : begin + _AT_ONCE]
