"""The slots of this machine: what a worker has of them, which are free, and which of the free ones suit a run."""

import os
from collections.abc import Container, Sequence

import psutil

from runyard.devices import Busy, Holder, Slot, Taken, cpu_slots, lock_directory, take
from runyard.devices.slots import cores
from runyard.errors import DeviceUnavailable
from runyard.hosts import host_name, user_name
from runyard.queue import Capacity, demand_of
from runyard.records import RunSpec


class MachineSlots:
    """The slots that a worker may start runs on; those with a problem are left out.

    Raises:
        DeviceUnavailable: there is no slot, or no folder for the locks of slots.
        UsageError: the folder for locks protects nothing.
    """

    def __init__(self, slots: Sequence[Slot]) -> None:
        lock_directory()  # refuses a bad one now, and not as trouble that may pass
        self.all = slots
        self.usable = [slot for slot in slots if not slot.problem]
        self._cores_per_slot = cores() / max(1, len(cpu_slots()))
        self._memory_bytes = psutil.virtual_memory().total
        if not self.usable:
            raise DeviceUnavailable(" ".join(["There is no slot to work with.", *(slot.problem for slot in slots)]))

    def capacity(self, free: Sequence[Slot] = ()) -> Capacity:
        """What the worker has, and what of it is free."""
        return Capacity(
            gpu_memory_bytes=tuple(slot.memory_bytes for slot in free if slot.is_gpu),
            all_gpu_memory_bytes=tuple(slot.memory_bytes for slot in self.usable if slot.is_gpu),
            cpu_slots=sum(not slot.is_gpu for slot in free),
            all_cpu_slots=sum(not slot.is_gpu for slot in self.usable),
            cores_per_slot=self._cores_per_slot,
            cores=cores(),
            memory_bytes=self._memory_bytes,
            host=host_name(),
        )

    def take_free(self, *, but: Container[str], now: float) -> list[Taken]:
        """Lock every slot that nobody has, except those named in `but`; the caller gives back what no run wants."""
        holder = Holder(pid=os.getpid(), user=user_name(), what="a worker that looks for its next run", since=now)
        taken = [take(slot, holder) for slot in self.usable if slot.name not in but]
        return [found for found in taken if not isinstance(found, Busy)]

    def choose(self, spec: RunSpec, free: Sequence[Taken]) -> list[Taken]:
        """The slots for a run: the smallest GPUs that are large enough, so that large ones stay free for large runs."""
        capacity = self.capacity([taken.slot for taken in free])
        demand = demand_of(capacity, gpus=spec.resources.gpus, cpus=spec.resources.cpus)
        if not demand.gpus:
            return [taken for taken in free if not taken.slot.is_gpu][: demand.cpu_slots]
        needed = spec.resources.gpu_memory_bytes or 0
        large_enough = [taken for taken in free if taken.slot.is_gpu and taken.slot.memory_bytes >= needed]
        return sorted(large_enough, key=lambda taken: taken.slot.memory_bytes)[: demand.gpus]
