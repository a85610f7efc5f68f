"""Looking at this machine: how it and its slots do right now, for workers to tell and for pages to show."""

from collections.abc import Sequence
from pathlib import Path

import psutil

from runyard.devices import GpuSample, Holder, Slot, SlotLock, busy_reason, gpu_processes, gpu_sample
from runyard.errors import RunyardError
from runyard.queue.reports import MachineReport, OutsideProcess, SlotReport


def report(slots: Sequence[Slot], *, disk: Path) -> MachineReport:
    """Look at this machine; takes no lock.

    Raises:
        OSError: the folder `disk` is not there.
    """
    memory = psutil.virtual_memory()
    return MachineReport(
        cpu_percent=psutil.cpu_percent(),
        memory_used_bytes=memory.total - memory.available,
        memory_total_bytes=memory.total,
        disk_free_bytes=psutil.disk_usage(str(disk)).free,
        slots=tuple(_slot(slot) for slot in slots),
    )


def _slot(slot: Slot) -> SlotReport:
    holder, reason = _use(slot)
    sample = (gpu_sample(slot.uuid) if slot.is_gpu and slot.uuid else None) or GpuSample()
    is_outside = bool(slot.uuid and reason and not holder and not slot.problem)
    return SlotReport(
        name=slot.name,
        kind=slot.kind,
        label=slot.label,
        device=slot.device_name,
        is_sick=bool(slot.problem),
        reason=reason,
        run_id=holder.run_id if holder else "",
        user=holder.user if holder else "",
        processes=_outsiders(slot) if is_outside else (),
        util_percent=sample.utilization_percent,
        memory_used_bytes=sample.memory_used_bytes,
        memory_total_bytes=sample.memory_total_bytes or slot.memory_bytes or None,
        temperature_c=sample.temperature_c,
        power_w=sample.power_w,
    )


def _use(slot: Slot) -> tuple[Holder | None, str]:
    """Who holds a slot, and why it cannot be taken."""
    try:
        return (None if slot.problem else SlotLock(slot.name).holder()), busy_reason(slot)
    except RunyardError as problem:  # a lock file that may not be opened
        return None, str(problem)


def _outsiders(slot: Slot) -> tuple[OutsideProcess, ...]:
    return tuple(
        OutsideProcess(pid=each.pid, name=each.name, user=each.user, memory_bytes=each.memory_bytes)
        for each in gpu_processes(slot.uuid)
        if not each.draws
    )
