"""What other trackers' languages ask of many runs at once, and rows do not hold: settings as they were written, and the
point of the highest step of each metric."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, select

from runyard.database.schema import artifacts, streams
from runyard.index.rows import ArtifactRow, artifact_row
from runyard.index.states import decode_state, order

Point = tuple[int, int, float]  # step, time in nanoseconds since 1970 (UTC), value

_AT_ONCE = 500


class Told(msgspec.Struct):
    """Of one run.

    Attributes:
        texts: settings by the names that the other tracker gave them, as it wrote them.
        latest: of each metric the point of the highest step; of several, that of the latest time, then the largest.
    """

    texts: dict[str, str] = {}
    latest: dict[str, Point] = {}


def told(tx: Connection, run_ids: Sequence[str]) -> dict[str, Told]:
    """Of each run that has journals."""
    found: dict[str, Told] = {}
    columns = select(streams.c.run_id, streams.c.state).order_by(streams.c.run_id, streams.c.attempt, streams.c.stream)
    for begin in range(0, len(run_ids), _AT_ONCE):
        for run_id, data in tx.execute(columns.where(streams.c.run_id.in_(run_ids[begin : begin + _AT_ONCE]))):
            state = decode_state(data)
            of_run = found.setdefault(run_id, Told())
            of_run.texts |= state.texts
            for key, metric in state.metrics.items():
                known = of_run.latest.get(key)
                if known is None or order(known) <= order(metric.highest):
                    of_run.latest[key] = metric.highest
    return found


def artifacts_of_kind(tx: Connection, run_ids: Sequence[str], kind: str) -> dict[str, list[ArtifactRow]]:
    """The stored files of one kind of each run that has any, oldest first."""
    found: dict[str, list[ArtifactRow]] = {}
    table = artifacts
    for begin in range(0, len(run_ids), _AT_ONCE):
        ours = table.c.run_id.in_(run_ids[begin : begin + _AT_ONCE])
        rows = select(table).where(ours, table.c.kind == kind)
        for row in tx.execute(rows.order_by(table.c.run_id, table.c.attempt, table.c.offset)).mappings():
            found.setdefault(row["run_id"], []).append(artifact_row(row))
    return found
