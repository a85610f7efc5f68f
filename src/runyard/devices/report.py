"""How a machine and its slots do right now, as its workers tell a server that cannot look for itself."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
import psutil

from runyard.devices.locks import Holder, SlotLock
from runyard.devices.nvml import GpuProcess, GpuSample, gpu_processes, gpu_sample
from runyard.devices.slots import Slot, busy_reason
from runyard.errors import RunyardError


class SlotReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One slot. `reason`: why it cannot be taken, "" if it is free; `run_id`: what holds it, if that is a run."""

    name: str
    kind: Literal["gpu", "cpu"]
    label: str
    device: str = ""
    memory_bytes: int = 0
    is_sick: bool = False
    reason: str = ""
    run_id: str = ""
    user: str = ""
    processes: tuple[GpuProcess, ...] = ()  # of a GPU that is used outside Runyard
    sample: GpuSample | None = None


class MachineReport(msgspec.Struct, frozen=True, kw_only=True):
    """A machine. `cpu_percent` counts since the report before, `disk_free_bytes` where its runs are kept."""

    cpu_percent: float
    memory_used_bytes: int
    memory_total_bytes: int
    disk_free_bytes: int
    slots: tuple[SlotReport, ...] = ()


def report(slots: Sequence[Slot], *, disk: Path) -> MachineReport:
    """Look at this machine; takes locks of nothing.

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
    return SlotReport(
        name=slot.name,
        kind=slot.kind,
        label=slot.label,
        device=slot.device_name,
        memory_bytes=slot.memory_bytes,
        is_sick=bool(slot.problem),
        reason=reason,
        run_id=holder.run_id if holder else "",
        user=holder.user if holder else "",
        processes=tuple(gpu_processes(slot.uuid)) if slot.uuid and reason and not holder and not slot.problem else (),
        sample=gpu_sample(slot.uuid) if slot.is_gpu and slot.uuid else None,
    )


def _use(slot: Slot) -> tuple[Holder | None, str]:
    """Who holds a slot, and why it cannot be taken."""
    try:
        return (None if slot.problem else SlotLock(slot.name).holder()), busy_reason(slot)
    except RunyardError as problem:  # a lock file that may not be opened
        return None, str(problem)
