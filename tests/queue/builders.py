"""Runs, queues and workers with sensible defaults, so that a test shows only what matters to it."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from runyard.database import Database
from runyard.queue import Capacity, Queue, QueueRow
from runyard.records import Resources, RunId, RunSpec, WorkerId, new_run_id

NOW = 1_000_000.0
ANNA = WorkerId("anna-1")
BOB = WorkerId("bob-2")
ONE_CPU = Capacity(cpu_slots=1, all_cpu_slots=1)
GIB = 1 << 30

_minutes = count()


def a_run(run_id: str | None = None, **changes: Any) -> RunSpec:  # any field of RunSpec
    """A queued run; later ones were created later."""
    created = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=next(_minutes))
    fields = {"project": "weld", "name": "a run", "created_at": created, "is_queued": True, **changes}
    return RunSpec(id=RunId(run_id) if run_id else new_run_id(), **fields)


def asking(run_id: str | None = None, **resources: Any) -> RunSpec:  # any field of Resources
    """A run with needs of its own."""
    return a_run(run_id, resources=Resources(**resources))


def gpus(*free_gib: int, of: tuple[int, ...] | None = None, cpu_slots: int = 0) -> Capacity:
    """A worker with GPUs of so many GiB, all free unless `of` names all it has."""
    everything = free_gib if of is None else of
    return Capacity(
        gpu_memory_bytes=tuple(size * GIB for size in free_gib),
        all_gpu_memory_bytes=tuple(size * GIB for size in everything),
        cpu_slots=cpu_slots,
        all_cpu_slots=cpu_slots,
    )


def submit(queue: Queue, database: Database, *specs: RunSpec, now: float = NOW) -> None:
    """Put runs into the queue."""
    with database.transaction() as tx:
        queue.add(tx, specs, now=now)


def order(queue: Queue) -> list[str]:
    """The ids of what waits, next one first."""
    return [row.run_id for row in queue.rows() if row.state != "leased"]


def the_row(queue: Queue, run_id: str) -> QueueRow:
    """The row of a run that is in the queue."""
    row = queue.row(run_id)
    assert row is not None
    return row


def claim(queue: Queue, worker: WorkerId = ANNA, capacity: Capacity = ONE_CPU, now: float = NOW) -> str | None:
    """The id of the run that the worker gets."""
    lease = queue.claim_next(worker, capacity, now=now)
    return lease.run_id if lease else None
