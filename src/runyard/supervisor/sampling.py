"""What the host and the GPUs do while a run is on them, as series of the run.

The step of a sample is the number of seconds since the run was asked for, so that the samples of a
later attempt follow those of an earlier one.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

import psutil

from runyard.journal import JournalWriter, Schema

SAMPLE_S = 2.0

_GPU_FIELDS = {  # key of the series: field of a GpuSample
    "util_percent": "utilization_percent",
    "memory_used_bytes": "memory_used_bytes",
    "temperature_c": "temperature_c",
    "power_w": "power_w",
}


class Sampler:
    """Writes one row per call of `sample`.

    Args:
        members: gives the pids of the run's processes.
        disk: a folder of the disk whose free space matters.
        gpus: UUIDs of the run's GPUs.
        since: when the run was asked for, in seconds since 1970.
        cpu_s: processor time that processes, by pid, had used before the run began.
    """

    def __init__(
        self,
        journal: JournalWriter,
        *,
        members: Callable[[], Iterable[int]],
        disk: Path,
        gpus: tuple[str, ...],
        since: float,
        cpu_s: Mapping[int, float] = MappingProxyType({}),
    ) -> None:
        self._rows = HostRows(journal, since=since)
        self._members = members
        self._disk = disk
        self._gpus = gpus
        self._cpu_s = dict(cpu_s)
        self._sampled_at = time.monotonic()
        psutil.cpu_percent()  # the first call only sets the beginning of the interval

    def sample(self) -> dict[str, float]:
        """Measure everything, write it down, and give it."""
        values = {**self._host(), **self._processes(), **self._devices()}
        self._rows.write(values)
        return values

    def _host(self) -> dict[str, float]:
        memory = psutil.virtual_memory()
        try:
            free = float(psutil.disk_usage(str(self._disk)).free)
        except OSError:
            free = math.nan
        return {
            "sys/cpu_percent": psutil.cpu_percent(),
            "sys/memory_used_bytes": memory.total - memory.available,
            "sys/memory_percent": memory.percent,
            "sys/disk_free_bytes": free,
        }

    def _processes(self) -> dict[str, float]:
        now = time.monotonic()
        rss, used_s, cpu_s = 0, 0.0, {}
        for pid in self._members():
            try:
                process = psutil.Process(pid)
                with process.oneshot():
                    times = process.cpu_times()
                    rss += process.memory_info().rss
            except psutil.Error:
                continue  # gone meanwhile
            cpu_s[pid] = times.user + times.system
            used_s += cpu_s[pid] - self._cpu_s.get(pid, 0.0)
        elapsed_s = max(now - self._sampled_at, 1e-3)
        self._cpu_s, self._sampled_at = cpu_s, now
        return {
            "sys/process_cpu_percent": max(0.0, 100 * used_s / elapsed_s),  # 100 is one core
            "sys/process_memory_bytes": rss,  # memory that processes share counts for each of them
            "sys/processes": len(cpu_s),
        }

    def _devices(self) -> dict[str, float]:
        if not self._gpus:
            return {}
        from runyard.devices.nvml import gpu_sample  # late: only for runs that have a GPU

        values = {}
        for number, uuid in enumerate(self._gpus):
            found = gpu_sample(uuid)
            for key, field in _GPU_FIELDS.items():
                value = getattr(found, field, None)
                values[f"sys/gpu{number}/{key}"] = math.nan if value is None else float(value)
        return values


class HostRows:
    """What was measured, as rows of one journal. `since` is when its run was asked for, in seconds since 1970."""

    def __init__(self, journal: JournalWriter, *, since: float) -> None:
        self._journal = journal
        self._since = since
        self._schema: Schema | None = None

    def write(self, values: Mapping[str, float]) -> None:
        """One row; the same keys each time."""
        if self._schema is None:
            self._schema = self._journal.declare(tuple(values))
        now = time.time()
        self._journal.append(self._schema.encode(int(now - self._since), int(now * 1e9), list(values.values())))


def gpu_uuids(devices: Iterable[str]) -> tuple[str, ...]:
    """Those of a run's devices that are GPUs."""
    return tuple(device for device in devices if device.startswith(("GPU-", "MIG-")))
