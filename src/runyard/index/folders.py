"""From folders to rows: catching up with what was written meanwhile, and rebuilding everything."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, select

from runyard.database import analyze, lock_runs
from runyard.database.schema import runs, streams
from runyard.errors import FormatUnknown, JournalDamaged, NotFound
from runyard.journal import EDITS, RunFolder
from runyard.journal.format import MAX_RECORD_BYTES
from runyard.records import RunState

if TYPE_CHECKING:
    from runyard.index.index import Index

PIECE_BYTES = 4 << 20  # applied in one transaction: some 0.1 s, so that other writers get their turn

Offsets = dict[tuple[int, str], int]  # of the streams of a run, by attempt and name

_OPEN_STATES = [str(state) for state in RunState if not state.is_ended]
_PROBLEMS = (JournalDamaged, FormatUnknown, NotFound)


@dataclass
class Seen:
    """What a process remembers between two looks at the home: unchanged folders are not listed again."""

    listed_ns: int = -1  # when the list of runs had last changed
    known: set[str] = field(default_factory=set)


def catch_up(index: "Index", run_id: str | None) -> list[str]:
    """See `Index.catch_up`."""
    known = _open_runs(index) if run_id is None else known_offsets(index, runs.c.id == run_id)
    unknown = _unknown_runs(index) if run_id is None else [run_id] * (run_id not in known)
    problems: list[str] = []
    for each, offsets in known.items():
        problems += _catch_up_run(index, each, offsets)
    for each in unknown:
        problems += _add_run(index, each) or _catch_up_run(index, each, {})
    if run_id is not None and problems and not index.known([run_id]):
        raise NotFound(problems[0])
    return problems


def reindex(index: "Index", progress: Callable[[int, int], None] | None) -> int:
    """See `Index.reindex`. A few hundred runs in a transaction, so that others can go on meanwhile."""
    with index.database.read() as tx:
        known = set(tx.scalars(select(runs.c.id)))  # before the folders: what is submitted in between must not be lost
    ids = _all_ids(index, known=known)
    index.remove(known - set(ids))
    done = 0
    while done < len(ids):
        done = _rebuild(index, ids, done, progress)
    with index.database.transaction() as tx:
        analyze(tx)
    index.database.mark_reindexed()
    return len(ids)


def _rebuild(index: "Index", ids: list[str], done: int, progress: Callable[[int, int], None] | None) -> int:
    """Rebuild some runs from number `done` on; return the number of the next."""
    from runyard.index.rebuilding import RUNS_AT_ONCE, Rebuild  # late: it loads NumPy, which looking does not need

    with index.database.transaction() as tx:
        lock_runs(tx, ids[done : done + RUNS_AT_ONCE])
        rebuild = Rebuild(index, tx)
        while done < len(ids) and not rebuild.is_full:
            try:
                rebuild.add(ids[done], journals_of(index.folder(ids[done])))
            except _PROBLEMS:
                pass  # a folder without a readable run.json is no run; `runyard doctor` would name it
            done += 1
            if progress:
                progress(done, len(ids))
        rebuild.finish()
    return done


def _open_runs(index: "Index") -> dict[str, Offsets]:
    """All in one query: a queue of ten thousand runs must not cost ten thousand."""
    return known_offsets(index, runs.c.state.in_(_OPEN_STATES))


def _unknown_runs(index: "Index") -> list[str]:
    """Folders that have no row yet: runs that a process started without asking anybody."""
    changed_ns = os.stat(index.home.runs).st_mtime_ns
    if changed_ns == index.seen.listed_ns:
        return []
    ids = index.home.run_ids()
    submitting = index.home.submitting()
    ids = [run_id for run_id in ids if run_id not in submitting]
    unseen = [run_id for run_id in ids if run_id not in index.seen.known]
    known = index.known(unseen)
    index.seen.known = set(ids)
    index.seen.listed_ns = -1 if submitting else changed_ns
    return [run_id for run_id in unseen if run_id not in known]


def _add_run(index: "Index", run_id: str) -> list[str]:
    try:
        index.add_run(index.read_spec(run_id))
    except _PROBLEMS as problem:
        index.seen.known.discard(run_id)
        index.seen.listed_ns = -1
        return [str(problem)]
    return []


def _catch_up_run(index: "Index", run_id: str, offsets: Offsets) -> list[str]:
    problems: list[str] = []
    for attempt, stream, path in journals_of(index.folder(run_id)):
        try:
            offset = offsets.get((attempt, stream), 0)
            size = path.stat().st_size
            if size < offset:
                _fold_anew(index, run_id, attempt, stream, path)
            elif size > offset:
                _apply_file(index, run_id, attempt, stream, path, offset=offset, connection=None)
        except FileNotFoundError:
            continue  # moved to the trash a moment ago
        except _PROBLEMS as problem:
            problems.append(f"{path}: {problem}")
    return problems


def _fold_anew(index: "Index", run_id: str, attempt: int, stream: str, path: Path) -> None:
    from runyard.index import writing  # late, see above

    with index.database.transaction() as tx:
        lock_runs(tx, [run_id])
        writing.forget_stream(tx, run_id, attempt, stream)
        if not _apply_file(index, run_id, attempt, stream, path, offset=0, connection=tx):
            writing.remerge(index, tx, {run_id: writing.load_states(tx, run_id)})


def _apply_file(
    index: "Index", run_id: str, attempt: int, stream: str, path: Path, *, offset: int, connection: Connection | None
) -> int:
    """Apply a journal from `offset` on; return up to where it is understood."""

    def apply(offset: int, data: bytes) -> int:
        if connection is None:
            return index.apply(run_id, attempt, stream, offset, data)
        with connection.begin_nested():  # a damaged piece leaves nothing, as it would in a transaction of its own
            return index.apply(run_id, attempt, stream, offset, data, connection=connection)

    return read_pieces(path, offset, apply)


def read_pieces(path: Path, offset: int, apply: Callable[[int, bytes], int]) -> int:
    """Give `apply` a journal from `offset` on, piece by piece; it returns up to where the stream is understood."""
    piece_bytes = PIECE_BYTES
    with path.open("rb") as file:
        while True:
            file.seek(offset)
            data = file.read(piece_bytes)
            after = apply(offset, data) if data else offset
            if after > offset:
                offset, piece_bytes = after, PIECE_BYTES
            elif len(data) == piece_bytes <= MAX_RECORD_BYTES:
                piece_bytes *= 4  # a record larger than a piece
            else:
                return offset


def known_offsets(index: "Index", which: ColumnElement[bool]) -> dict[str, Offsets]:
    """How far the streams of known runs are applied."""
    with index.database.read() as tx:
        found = tx.execute(
            select(runs.c.id, streams.c.attempt, streams.c.stream, streams.c.offset)
            .select_from(runs.outerjoin(streams, streams.c.run_id == runs.c.id))
            .where(which)
            .order_by(runs.c.id)
        ).all()
    offsets: dict[str, Offsets] = {}
    for row in found:
        of_run = offsets.setdefault(row.id, {})
        if row.attempt is not None:
            of_run[row.attempt, row.stream] = row.offset
    return offsets


def journals_of(folder: RunFolder) -> Iterator[tuple[int, str, Path]]:
    """Attempt, stream and file of every journal of a run."""
    if folder.edits.exists():
        yield 0, EDITS, folder.edits
    for attempt in folder.attempts():
        for stream in attempt.streams():
            yield attempt.number, stream, attempt.journal(stream)


def _all_ids(index: "Index", *, known: set[str]) -> list[str]:
    trashed = (name for name in os.listdir(index.home.trash) if name.isalnum())
    found = set(index.home.run_ids()) | set(trashed)
    return sorted(found - (index.home.submitting() - known))
