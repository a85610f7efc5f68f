"""The worker: holds the slots of one machine, claims runs, starts their supervisors."""

from runyard.worker.protocol import WorkerClient
from runyard.worker.snapshot import GridLine, Lane, Snapshot
from runyard.worker.worker import Worker, local_worker, new_worker_id

__all__ = ["GridLine", "Lane", "Snapshot", "Worker", "WorkerClient", "local_worker", "new_worker_id"]
