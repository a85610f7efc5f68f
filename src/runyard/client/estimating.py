"""When runs that wait or execute will be done, from how long like runs took."""

import statistics
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from runyard.client.reservations import Reservation
from runyard.devices import is_cpu_slot
from runyard.errors import QueryError
from runyard.queue import Capacity, Eta, QueueRow, Waiting, demand_of, eta
from runyard.records import RunId

MEDIANS_KEPT_S = 10.0  # how long like runs take changes slowly, and costs a query per grid
_LIKE_RUNS = 25


class Remaining(Protocol):
    """How much a run has left by its own word, as of `last_at`."""

    @property
    def last_at(self) -> datetime: ...

    @property
    def remaining_s(self) -> float | None: ...


class Executing(Protocol):
    """A run that executes, as far as its end depends on it."""

    @property
    def progress(self) -> Remaining | None: ...


class Past(Protocol):
    """A run that has ended."""

    @property
    def duration_s(self) -> float | None: ...


class PastRuns(Protocol):
    """Where like runs are found."""

    def find(self, query: str | None, *, limit: int | None = None) -> Sequence[Past]:
        """The newest runs that fit the query."""
        ...


class Estimator:
    """Estimates; remembers for some seconds what would be expensive to ask each time."""

    def __init__(self, index: PastRuns) -> None:
        self._index = index
        self._medians: dict[str, float] = {}
        self._medians_at = float("-inf")

    def estimate(
        self,
        rows: Sequence[QueueRow],
        views: Mapping[RunId, Executing | None],
        *,
        paused: Collection[str],
        capacity: Capacity,
        now: float,
        reservations: Sequence[Reservation] = (),
    ) -> Eta:
        """When each run of the queue and all of it will be done.

        Args:
            views: the executing runs.
            paused: projects of which nothing starts.
            reservations: of slots of the machine whose capacity it is.
        """
        if now - self._medians_at > MEDIANS_KEPT_S:
            self._medians, self._medians_at = _medians(self._index, rows), now
        going = [row for row in rows if row.state == "leased" or (row.state == "waiting" and row.project not in paused)]
        idle = capacity.when_idle()
        n_slots = len(idle.gpu_memory_bytes) or idle.cpu_slots
        waiting = [_waiting(row, views.get(row.run_id), capacity=idle, now=now) for row in going]
        of_kind = [each for each in reservations if is_cpu_slot(each.slot) != bool(idle.gpu_memory_bytes)]
        reserved_s = [each.until - now for each in of_kind]
        return eta(waiting, n_slots=n_slots, medians=self._medians, reserved_s=reserved_s)


def quoted(text: str) -> str:
    """A text as the query language writes it."""
    return msgspec.json.encode(text).decode()


def _waiting(row: QueueRow, view: Executing | None, *, capacity: Capacity, now: float) -> Waiting:
    demand = demand_of(capacity, gpus=row.gpus, cpus=row.cpus)
    remaining_s = None
    if view and view.progress and view.progress.remaining_s is not None:
        remaining_s = view.progress.remaining_s - (now - view.progress.last_at.timestamp())
    return Waiting(
        run_id=row.run_id,
        grid=row.grid,
        project=row.project,
        slots=demand.gpus or demand.cpu_slots,
        elapsed_s=None if row.claimed_at is None else now - row.claimed_at,
        remaining_s=remaining_s,
        estimated_s=row.estimated_s,
    )


def _medians(index: PastRuns, rows: Sequence[QueueRow]) -> dict[str, float]:
    """How long the latest completed runs of each grid took, and of each project."""
    medians: dict[str, float] = {}
    for grid in dict.fromkeys(row.grid for row in rows if row.grid):
        _note_median(medians, grid, index, f"grid == {quoted(grid)}")
    for project in dict.fromkeys(row.project for row in rows):
        _note_median(medians, project, index, f"project == {quoted(project)}")
    return medians


def _note_median(medians: dict[str, float], name: str, index: PastRuns, query: str) -> None:
    try:
        found = index.find(f'{query} and state == "COMPLETED"', limit=_LIKE_RUNS)
    except QueryError:  # a name may be longer than a query; then nothing is known about its runs
        return
    durations = [run.duration_s for run in found if run.duration_s is not None]
    if durations:
        medians[name] = statistics.median(durations)
