"""Whether the index says of a run what its folder says: the run is folded anew, and the rows are compared."""

import hashlib
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Connection, select

from runyard.database import lock_runs
from runyard.database.schema import INDEX_TABLES, runs
from runyard.errors import FormatUnknown, JournalDamaged, NotFound
from runyard.index.folders import journals_of, known_offsets
from runyard.index.rebuilding import Rebuild

if TYPE_CHECKING:
    from runyard.index.index import Index

_UNREADABLE = (JournalDamaged, FormatUnknown, NotFound)


def disagreeing(index: "Index", run_ids: Collection[str]) -> list[str]:
    """Those of the runs whose rows are not what their folders give. Nothing is changed.

    Some dozens at a time: other writers wait meanwhile.
    """
    with index.database.transaction() as tx:
        lock_runs(tx, run_ids)
        before = _digests(tx, run_ids)
        folding = tx.begin_nested()
        _rebuild(index, tx, run_ids)
        after = _digests(tx, run_ids)
        folding.rollback()
    return sorted(run_id for run_id in run_ids if before.get(run_id) != after.get(run_id))


def behind(index: "Index", run_ids: Sequence[str]) -> list[str]:
    """Those of the runs that are not in the index, or whose journals are longer or shorter there. Costs no folding."""
    known = known_offsets(index, runs.c.id.in_(run_ids))
    return [run_id for run_id in run_ids if run_id not in known or _sizes(index, run_id) != known[run_id]]


def fold_anew(index: "Index", run_ids: Collection[str]) -> None:
    """Give the runs the rows that their folders give."""
    with index.database.transaction() as tx:
        lock_runs(tx, run_ids)
        _rebuild(index, tx, run_ids)


def _rebuild(index: "Index", tx: Connection, run_ids: Collection[str]) -> None:
    rebuild = Rebuild(index, tx)
    for run_id in run_ids:
        try:
            rebuild.add(run_id, journals_of(index.folder(run_id)))
        except _UNREADABLE:  # without a run.json it is no run
            continue
    rebuild.finish()


def _sizes(index: "Index", run_id: str) -> dict[tuple[int, str], int]:
    found = journals_of(index.folder(run_id))
    return {(attempt, stream): size for attempt, stream, path in found if (size := path.stat().st_size)}


def _digests(tx: Connection, run_ids: Collection[str]) -> dict[str, str]:
    """All rows of each run as one short text; NaN equals NaN in it."""
    rows: dict[str, list[bytes]] = {}
    for table in INDEX_TABLES:
        column = table.c.id if table is runs else table.c.run_id
        for row in tx.execute(select(column.label("of"), table).where(column.in_(run_ids))):
            rows.setdefault(row[0], []).append(table.name.encode() + msgspec.msgpack.encode(list(row[1:])))
    return {run_id: hashlib.sha256(b"".join(sorted(found))).hexdigest() for run_id, found in rows.items()}
