"""What a worker can offer, what a run demands, and whether the one fits into the other."""

import math

import msgspec
from sqlalchemy import ColumnElement, and_, case, exists, false, func, not_, or_, true

from runyard.database.schema import queue, refusals


class Demand(msgspec.Struct, frozen=True):
    """How many slots of each kind one run takes on a certain worker."""

    gpus: int
    cpu_slots: int


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """The free slots of a worker, and the size of its machine.

    `gpu_memory_bytes` has one entry per free GPU, `all_gpu_memory_bytes` one per GPU of the worker, free or not.
    What `host` refused lately does not fit.
    """

    gpu_memory_bytes: tuple[int, ...] = ()
    all_gpu_memory_bytes: tuple[int, ...] = ()
    cpu_slots: int = 0
    all_cpu_slots: int = 0
    cores_per_slot: float = 1.0
    cores: int | None = None  # None: not to be checked
    memory_bytes: int | None = None
    host: str = ""  # "" is no machine's name: it has refused nothing

    @property
    def has_gpus(self) -> bool:
        """Whether a run that does not say what it wants gets a GPU here."""
        return bool(self.all_gpu_memory_bytes)

    def when_idle(self) -> "Capacity":
        """The same worker with all its slots free."""
        return msgspec.structs.replace(self, gpu_memory_bytes=self.all_gpu_memory_bytes, cpu_slots=self.all_cpu_slots)


def demand_of(capacity: Capacity, *, gpus: int | None, cpus: float | None) -> Demand:
    """The slots that a run with these resources takes on this worker."""
    wanted = int(capacity.has_gpus) if gpus is None else gpus
    if wanted:
        return Demand(wanted, 0)
    return Demand(0, max(1, math.ceil((cpus or 1) / capacity.cores_per_slot)))


def wanted_gpus(capacity: Capacity) -> ColumnElement[int]:
    """How many GPUs a row of the queue gets on this worker, as SQL."""
    return case((queue.c.gpus.is_(None), int(capacity.has_gpus)), else_=queue.c.gpus)


def fits(capacity: Capacity) -> ColumnElement[bool]:
    """Whether a row of the queue fits into the free slots, as SQL."""
    wanted = wanted_gpus(capacity)
    gpu_memory = func.coalesce(queue.c.gpu_memory_bytes, 0)
    largest_first = sorted(capacity.gpu_memory_bytes, reverse=True)
    places = [  # n GPUs with so much memory each exist if the n-th largest has it
        and_(wanted == count, gpu_memory <= memory) for count, memory in enumerate(largest_first, start=1)
    ]
    if capacity.cpu_slots:
        cores = capacity.cpu_slots * capacity.cores_per_slot
        one_slot_is_enough = and_(wanted == 0, func.coalesce(queue.c.cpus, 1.0) <= max(cores, 1.0))
        places.append(one_slot_is_enough)
    cpus = true() if capacity.cores is None else func.coalesce(queue.c.cpus, 0.0) <= capacity.cores
    memory = (
        true() if capacity.memory_bytes is None else func.coalesce(queue.c.memory_bytes, 0) <= capacity.memory_bytes
    )
    return and_(or_(false(), *places), cpus, memory, not_(_is_refused(capacity.host)) if capacity.host else true())


def _is_refused(host: str) -> ColumnElement[bool]:
    return exists().where(refusals.c.run_id == queue.c.run_id, refusals.c.host == host)
