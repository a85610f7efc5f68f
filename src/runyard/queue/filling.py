"""How runs get into the queue: appended when they are asked for, or all of them anew from the index."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from runyard.database import insert_missing, lock_queue
from runyard.database.schema import queue
from runyard.queue.leases import LEASE_S
from runyard.queue.rows import HELD, LEASED, WAITING, Standing
from runyard.records import RunSpec, RunState

_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)  # positions are seconds since then; small numbers leave more room between two
_STEP = 1e-6  # between runs that were created at the same time
_QUEUE_STATE = {RunState.QUEUED.value: WAITING, RunState.HELD.value: HELD, RunState.RUNNING.value: LEASED}


def append(tx: Connection, specs: Sequence[RunSpec], *, now: float) -> None:
    """See `Queue.add`."""
    known = _known(tx, [spec.id for spec in specs])
    rows = [_row_of(spec, now=now) for spec in specs if spec.id not in known]
    for before, row in pairwise(rows):
        row["position"] = max(row["position"], before["position"] + _STEP)
    insert_missing(tx, queue, rows, key="run_id")


def fill_anew(tx: Connection, entries: Iterable[tuple[RunSpec, Standing]], *, now: float) -> None:
    """See `Queue.rebuild`."""
    lock_queue(tx)
    tx.execute(delete(queue).where(queue.c.state != LEASED))
    kept = set(tx.scalars(select(queue.c.run_id)))
    rows = []
    for spec, standing in entries:
        state = _QUEUE_STATE.get(standing.state)
        if spec.id in kept or state is None or not _is_for_workers(spec, standing):
            continue
        row = _row_of(spec, now=now)
        row["position"] = row["position"] if standing.position is None else standing.position
        row["state"], row["attempt"], row["priority"] = state, standing.attempt, standing.priority
        row["held_reason"] = standing.reason if state == HELD else None
        row["lease_expires_at"] = now + LEASE_S if state == LEASED else None
        rows.append(row)
    if rows:
        tx.execute(insert(queue), rows)


def _is_for_workers(spec: RunSpec, standing: Standing) -> bool:
    """Whether a run is executed by workers: it was queued, or is tried again after it ran in somebody's terminal."""
    first_of_workers = 2 if standing.state == RunState.RUNNING else 1
    return spec.is_queued or standing.attempt >= first_of_workers


def _row_of(spec: RunSpec, *, now: float) -> dict[str, Any]:
    return {
        "run_id": spec.id,
        "project": spec.project,
        "grid": spec.grid,
        "user": spec.user,
        "state": WAITING,
        "priority": spec.priority,
        "position": (spec.created_at - _EPOCH).total_seconds(),  # so that a rebuilt queue has the same order
        "gpus": spec.resources.gpus,
        "gpu_memory_bytes": spec.resources.gpu_memory_bytes,
        "cpus": spec.resources.cpus,
        "memory_bytes": spec.resources.memory_bytes,
        "held_reason": None,
        "attempt": 0,
        "queued_at": now,
        "lease_expires_at": None,
    }


def _known(tx: Connection, run_ids: Sequence[str]) -> set[str]:
    known: set[str] = set()
    for start in range(0, len(run_ids), 500):  # databases limit how many values one statement may carry
        known.update(tx.scalars(select(queue.c.run_id).where(queue.c.run_id.in_(run_ids[start : start + 500]))))
    return known
