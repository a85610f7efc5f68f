"""What this machine can train on: discovery of GPUs, exclusive locks, health."""

from runyard.devices.locks import Holder, SlotLock, lock_directory
from runyard.devices.nvml import Gpu, GpuProcess, GpuSample, driver_version, gpu_processes, gpu_sample, gpus
from runyard.devices.slots import (
    Busy,
    Slot,
    Taken,
    acquire_any,
    busy_reason,
    candidates,
    cpu_slots,
    discover,
    env_for,
    is_cpu_slot,
    take,
)

__all__ = [
    "Busy",
    "Gpu",
    "GpuProcess",
    "GpuSample",
    "Holder",
    "Slot",
    "SlotLock",
    "Taken",
    "acquire_any",
    "busy_reason",
    "candidates",
    "cpu_slots",
    "discover",
    "driver_version",
    "env_for",
    "gpu_processes",
    "gpu_sample",
    "gpus",
    "is_cpu_slot",
    "lock_directory",
    "take",
]
