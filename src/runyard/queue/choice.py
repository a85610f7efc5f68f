"""Which run comes next for a worker: the order of the queue, and the turn of runs that need several GPUs."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, literal, or_, select

from runyard.database.schema import paused_projects, queue
from runyard.queue import shares
from runyard.queue.capacity import Capacity, fits, wanted_gpus
from runyard.queue.rows import WAITING

ORDER = (queue.c.priority.desc(), queue.c.position, queue.c.run_id)  # of one user


def startable() -> tuple[Any, Any]:  # conditions; SQLAlchemy's type for them has no shorter name
    """What a row of a run fulfils that may start now, if a worker has room for it."""
    return queue.c.state == WAITING, queue.c.project.not_in(select(paused_projects.c.project))


def next_fitting(tx: Connection, capacity: Capacity, seen: ColumnElement[bool], shared: shares.Shares) -> Select[Any]:
    """Select the first run in the order that fits the free slots.

    Args:
        seen: what rows fulfil that the worker may claim.
    """
    rank = shares.rank(shared)
    statement = select(queue).where(seen, *startable(), fits(capacity)).order_by(*_in_turn(rank)).limit(1)
    large = _large_ahead(tx, capacity, seen, rank)
    if large is not None:  # without this, small runs would take every GPU that becomes free, and it would wait for ever
        priority, place, position = large
        is_equal, is_older = queue.c.priority == priority, queue.c.position < position
        is_next = is_older if rank is None else or_(rank < place, and_(rank == place, is_older))
        ahead = or_(queue.c.priority > priority, and_(is_equal, is_next))
        statement = statement.where(or_(wanted_gpus(capacity) == 0, ahead))
    return statement


def _large_ahead(
    tx: Connection, capacity: Capacity, seen: ColumnElement[bool], rank: ColumnElement[int] | None
) -> tuple[int, int, float] | None:
    """Where the first run stands that needs more GPUs than are free now, but not more than there are."""
    if len(capacity.all_gpu_memory_bytes) < 2:
        return None
    statement = (
        select(queue.c.priority, (literal(0) if rank is None else rank).label("place"), queue.c.position)
        .where(seen, *startable(), wanted_gpus(capacity) > 1, fits(capacity.when_idle()), ~fits(capacity))
        .order_by(*_in_turn(rank))
        .limit(1)
    )
    row = tx.execute(statement).one_or_none()
    return (row.priority, row.place, row.position) if row else None


def _in_turn(rank: ColumnElement[int] | None) -> tuple[ColumnElement[Any], ...]:  # columns of several types
    highest, *within = ORDER
    return ORDER if rank is None else (highest, rank, *within)
