"""What a worker shows: one lane per slot, the queue, and when all of it will be done. The CLI draws it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from runyard.client.estimating import Estimator, quoted
from runyard.client.reservations import Reservation
from runyard.devices import Slot
from runyard.errors import NotFound
from runyard.queue import Capacity, Counts, Eta, QueueRow
from runyard.records import RunId
from runyard.worker.protocol import RunView, WorkerClient


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """One slot and what happens on it. Times are Unix seconds, `eta_s` counts from the snapshot."""

    slot: str  # "GPU 0"
    device: str = ""  # "NVIDIA H100"
    state: Literal["running", "busy", "free"] = "free"
    run_id: str = ""
    run_name: str = ""
    since: float | None = None
    done: float | None = None
    total: float | None = None
    progress_label: str = ""
    eta_s: float | None = None
    reason: str = ""  # why the slot is busy


class GridLine(msgspec.Struct, frozen=True, kw_only=True):
    """A grid that has runs in the queue. `total` counts all its runs, ended ones too."""

    grid: str
    total: int
    running: int
    waiting: int
    held: int
    held_reason: str = ""
    eta_s: float | None = None

    @property
    def ended(self) -> int:
        """How many of its runs are over."""
        return max(0, self.total - self.running - self.waiting - self.held)


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The worker at one moment. `stopping`: 0, 1 (it starts nothing more), 2 (it has asked its runs to stop)."""

    at: float
    lanes: tuple[Lane, ...]
    counts: Counts
    grids: tuple[GridLine, ...]
    eta_s: float | None
    stopping: int = 0


class Observer:
    """Takes snapshots; remembers what would be expensive to ask each time."""

    def __init__(self, client: WorkerClient, slots: Sequence[Slot]) -> None:
        self._client = client
        self._slots = tuple(slots)
        self._estimator = Estimator(client.index)

    def look(
        self,
        *,
        now: float,
        capacity: Capacity,
        running: Mapping[str, RunId],
        reason_for: Callable[[Slot], str],
        reservations: Sequence[Reservation],
        stopping: int,
    ) -> Snapshot:
        """Describe the worker.

        Args:
            running: the run on each slot that this worker uses, by the slot's name.
            reason_for: why another slot is busy, or "".
            reservations: of slots of this machine.
        """
        queue = self._client.queue
        rows, paused = queue.rows(), queue.paused()
        views = {row.run_id: self._view(row.run_id) for row in rows if row.state == "leased"}
        ours = {slot.name for slot in self._slots}
        reserved = [each for each in reservations if each.slot in ours]
        times = self._estimator.estimate(rows, views, paused=paused, capacity=capacity, now=now, reservations=reserved)
        by_run = {row.run_id: row for row in rows}
        lanes = [
            _running_lane(slot, by_run.get(running[slot.name]), running[slot.name], views, times)
            if slot.name in running
            else _other_lane(slot, reason_for(slot))
            for slot in self._slots
        ]
        return Snapshot(
            at=now,
            lanes=tuple(_worth_showing(lanes, self._slots)),
            counts=queue.counts(),
            grids=tuple(self._grid_lines(rows, times)),
            eta_s=times.queue_s,
            stopping=stopping,
        )

    def _grid_lines(self, rows: Sequence[QueueRow], times: Eta) -> Iterable[GridLine]:
        for grid in dict.fromkeys(row.grid for row in rows if row.grid):
            of_grid = [row for row in rows if row.grid == grid]
            reasons = [row.held_reason for row in of_grid if row.held_reason]
            yield GridLine(
                grid=grid,
                total=self._client.index.count(f"grid == {quoted(grid)}"),
                running=sum(row.state == "leased" for row in of_grid),
                waiting=sum(row.state == "waiting" for row in of_grid),
                held=sum(row.state == "held" for row in of_grid),
                held_reason=reasons[0] if reasons else "",
                eta_s=times.grids.get(grid),
            )

    def _view(self, run_id: str) -> RunView | None:
        try:
            return self._client.index.get(run_id)
        except NotFound:
            return None


def _running_lane(
    slot: Slot, row: QueueRow | None, run_id: RunId, views: Mapping[RunId, RunView | None], times: Eta
) -> Lane:
    view = views.get(run_id)
    progress = view.progress if view else None
    return Lane(
        slot=slot.label,
        device=slot.device_name,
        state="running",
        run_id=run_id,
        run_name=view.name if view else "",
        since=row.claimed_at if row else None,
        done=progress.done if progress else None,
        total=progress.total if progress else None,
        progress_label=progress.label if progress else "",
        eta_s=times.runs.get(run_id),
    )


def _other_lane(slot: Slot, reason: str) -> Lane:
    return Lane(slot=slot.label, device=slot.device_name, state="busy" if reason else "free", reason=reason)


def _worth_showing(lanes: Sequence[Lane], slots: Sequence[Slot]) -> Iterable[Lane]:
    """On a machine with GPUs, idle CPU slots say nothing."""
    has_gpus = any(slot.is_gpu for slot in slots)
    for lane, slot in zip(lanes, slots, strict=True):
        if slot.is_gpu or not has_gpus or lane.state == "running":
            yield lane
