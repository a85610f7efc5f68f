"""The workers that were heard of lately."""

import msgspec
from sqlalchemy import Connection, Select, delete, select

from runyard.database import upsert
from runyard.database.schema import queue, workers
from runyard.queue.leases import LEASE_S
from runyard.queue.reports import MachineReport
from runyard.queue.rows import WorkerRow

WORKER_SILENT_S = 3 * LEASE_S  # after that a worker is not listed any more


def see(tx: Connection, worker: WorkerRow) -> None:
    """See `Queue.see_worker`."""
    documents = {name: msgspec.json.encode(getattr(worker, name)).decode() for name in ("slots", "report")}
    silent = workers.c.seen_at < worker.seen_at - WORKER_SILENT_S
    gone = select(workers.c.worker_id).where(silent, workers.c.worker_id.not_in(_leasing()))
    gone = gone.with_for_update(skip_locked=True)  # it is just being seen, or forgotten by somebody else
    tx.execute(delete(workers).where(workers.c.worker_id.in_(gone)))
    upsert(tx, workers, [msgspec.structs.asdict(worker) | documents])


def forget(tx: Connection, worker_id: str) -> None:
    """See `Queue.forget_worker`."""
    tx.execute(delete(workers).where(workers.c.worker_id == worker_id, workers.c.worker_id.not_in(_leasing())))


def listed(tx: Connection) -> list[WorkerRow]:
    """See `Queue.workers`."""
    rows = tx.execute(select(workers).order_by(workers.c.host, workers.c.worker_id)).all()
    return [
        WorkerRow(
            **{
                **row._mapping,
                "slots": msgspec.json.decode(row.slots, type=tuple[str, ...]),
                "report": msgspec.json.decode(row.report or "null", type=MachineReport | None),
            }
        )
        for row in rows
    ]


def _leasing() -> Select[tuple[str | None]]:
    return select(queue.c.worker_id).where(queue.c.worker_id.is_not(None))
