"""The queue of a server: the same calls over HTTP. The time is the server's, and so is the name of who asks."""

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import Connection

from runyard.client.remote.transport import Transport
from runyard.hosts import host_name
from runyard.queue import Capacity, Counts, Lease, Placement, Queue, QueueRow, WorkerRow
from runyard.records import RunId, WorkerId

T = TypeVar("T")


class RemoteQueue(Queue):
    """Answers as `Queue` does, as far as workers and commands ask; the rest belongs to the server."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def claim_next(
        self, worker_id: WorkerId, capacity: Capacity, *, now: float, connection: Connection | None = None
    ) -> Lease | None:
        return self._call("claim_next", Lease | None, worker_id=worker_id, capacity=capacity)  # type: ignore[arg-type]  # a union is as good as a class

    def give_back(self, run_id: str, worker_id: str, attempt: int, *, connection: Connection | None = None) -> bool:
        return self._call("give_back", bool, run_id=run_id, worker_id=worker_id, attempt=attempt)

    def refuse(
        self,
        run_id: str,
        worker_id: str,
        attempt: int,
        *,
        host: str,
        why: str,
        now: float,
        connection: Connection | None = None,
    ) -> bool:
        return self._call("refuse", bool, run_id=run_id, worker_id=worker_id, attempt=attempt, host=host, why=why)

    def reconsider(self, *, host: str, older_than_s: float, now: float, connection: Connection | None = None) -> None:
        self._call("reconsider", type(None), host=host, older_than_s=older_than_s)

    def remove(self, run_id: str, *, attempt: int | None = None, connection: Connection | None = None) -> bool:
        return self._call("remove", bool, run_id=run_id, attempt=attempt)

    def leases_of_host(self, host: str | None = None) -> list[Lease]:
        return self._call("leases_of_host", list[Lease], host=host or host_name())

    def leases_of_worker(self, worker_id: str) -> list[Lease]:
        return self._call("leases_of_worker", list[Lease], worker_id=worker_id)

    def waiting_of_grid(self, grid: str) -> list[RunId]:
        return self._call("waiting_of_grid", list[RunId], grid=grid)

    def pause(self, project: str, *, by: str, now: float) -> None:
        self._call("pause", type(None), project=project)

    def resume(self, project: str) -> bool:
        return self._call("resume", bool, project=project)

    def paused(self) -> dict[str, str]:
        return self._call("paused", dict[str, str])

    def to_top(self, run_id: str, *, connection: Connection | None = None) -> list[Placement]:
        return self._call("to_top", list[Placement], run_id=run_id)

    def to_bottom(self, run_id: str, *, connection: Connection | None = None) -> list[Placement]:
        return self._call("to_bottom", list[Placement], run_id=run_id)

    def move_before(self, run_id: str, other: str, *, connection: Connection | None = None) -> list[Placement]:
        return self._call("move_before", list[Placement], run_id=run_id, other=other)

    def rows(self, project: str | None = None, *, grid: str | None = None) -> list[QueueRow]:
        return self._call("rows", list[QueueRow], project=project, grid=grid)

    def row(self, run_id: str) -> QueueRow | None:
        return self._call("row", QueueRow | None, run_id=run_id)  # type: ignore[arg-type]  # as above

    def counts(self, project: str | None = None) -> Counts:
        return self._call("counts", Counts, project=project)

    def startable(self, capacity: Capacity) -> int:
        return self._call("startable", int, capacity=capacity)

    def next_fitting(self, capacity: Capacity) -> RunId | None:
        return self._call("next_fitting", RunId | None, capacity=capacity)  # type: ignore[arg-type]  # as above

    def see_worker(self, worker: WorkerRow) -> None:
        self._call("see_worker", type(None), worker=worker)

    def forget_worker(self, worker_id: str) -> None:
        self._call("forget_worker", type(None), worker_id=worker_id)

    def workers(self) -> list[WorkerRow]:
        return self._call("workers", list[WorkerRow])

    def hold(self, run_ids: Sequence[str], *, why: str, connection: Connection | None = None) -> list[RunId]:
        return self._call("hold", list[RunId], run_ids=list(run_ids), why=why)

    def _call(self, method: str, kind: "type[T]", **arguments: object) -> T:
        return self._transport.tell(f"/calls/queue.{method}", arguments, kind)
