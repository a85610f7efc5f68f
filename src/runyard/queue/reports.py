"""How a machine and its slots do, as its workers tell a server that cannot look for itself."""

from typing import Literal

import msgspec


class OutsideProcess(msgspec.Struct, frozen=True, kw_only=True):
    """A process that uses a GPU outside Runyard; what the driver does not tell is empty."""

    pid: int
    name: str = ""
    user: str = ""
    memory_bytes: int | None = None


class SlotReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One slot. `reason`: why it cannot be taken, "" if it is free; `run_id`: what holds it, if that is a run.

    What a device does not tell is None, and so is everything that is measured of a CPU slot.
    """

    name: str  # of its lock
    kind: Literal["gpu", "cpu"]
    label: str
    device: str = ""
    is_sick: bool = False
    reason: str = ""
    run_id: str = ""
    user: str = ""
    processes: tuple[OutsideProcess, ...] = ()
    util_percent: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    temperature_c: float | None = None
    power_w: float | None = None


class MachineReport(msgspec.Struct, frozen=True, kw_only=True):
    """A machine. `cpu_percent` counts since the report before, `disk_free_bytes` where its runs are kept."""

    cpu_percent: float
    memory_used_bytes: int
    memory_total_bytes: int
    disk_free_bytes: int
    slots: tuple[SlotReport, ...] = ()
