"""GPUs as NVIDIA's driver sees them.

The binding is imported at the first question, since most processes never ask. A machine without
driver or library simply has no GPUs; a GPU that does not answer is reported with a sentence and
not left out, so that nobody wonders where it went.
"""

import os
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

import msgspec
import psutil

_loaded: tuple[ModuleType, int] | None = None  # the binding, and the process that initialised it


class Gpu(msgspec.Struct, frozen=True, kw_only=True):
    """One GPU. `problem` is empty, or a sentence that says why it cannot be used; then `uuid` may be empty."""

    index: int
    uuid: str = ""
    name: str = ""
    memory_bytes: int = 0
    problem: str = ""


class GpuSample(msgspec.Struct, frozen=True, kw_only=True):
    """How a GPU does right now; what the device does not tell is None."""

    utilization_percent: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    temperature_c: float | None = None
    power_w: float | None = None


class GpuProcess(msgspec.Struct, frozen=True, kw_only=True):
    """A process that uses a GPU. Outside of our view (in another container) its user and name are empty."""

    pid: int
    memory_bytes: int | None = None
    user: str = ""
    name: str = ""
    draws: bool = False  # it draws on a screen: a desktop, not a training


class GpuUse(msgspec.Struct, frozen=True, kw_only=True):
    """Who uses a GPU; `hidden_bytes` is taken by processes that the driver does not list here."""

    processes: tuple[GpuProcess, ...] = ()
    hidden_bytes: int = 0
    problem: str = ""


def gpus() -> list[Gpu]:
    """All GPUs of this machine by their NVML index, sick ones too; empty without a driver."""
    nvml = _nvml()
    if nvml is None:
        return []
    try:
        count: int = nvml.nvmlDeviceGetCount()
    except nvml.NVMLError:
        return []
    return [_gpu(nvml, index) for index in range(count)]


def driver_version() -> str:
    """The driver's version, or "" without one."""
    nvml = _nvml()
    if nvml is None:
        return ""
    return str(_ask(nvml, nvml.nvmlSystemGetDriverVersion) or "")


def gpu_sample(uuid: str) -> GpuSample | None:
    """Measure one GPU, or None if it does not answer."""
    nvml = _nvml()
    if nvml is None:
        return None
    try:
        handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
        used, total, _ = _memory(nvml, handle)
    except nvml.NVMLError:
        return None
    rates = _ask(nvml, nvml.nvmlDeviceGetUtilizationRates, handle)
    temperature = _ask(nvml, nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU)
    power = _ask(nvml, nvml.nvmlDeviceGetPowerUsage, handle)
    return GpuSample(
        utilization_percent=None if rates is None else float(rates.gpu),
        memory_used_bytes=used,
        memory_total_bytes=total,
        temperature_c=None if temperature is None else float(temperature),
        power_w=None if power is None else power / 1000,
    )


def gpu_processes(uuid: str) -> list[GpuProcess]:
    """The processes that the driver lists for one GPU."""
    return list(gpu_use(uuid).processes)


def gpu_use(uuid: str) -> GpuUse:
    """Who uses one GPU, also where the driver shows memory in use but no process (in a container)."""
    nvml = _nvml()
    if nvml is None:
        return GpuUse(problem="The NVIDIA driver does not answer any more.")
    try:
        handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
        used, _, is_exact = _memory(nvml, handle)
        drawing = {entry.pid: entry.usedGpuMemory for entry in _listed(nvml, "Graphics", handle)}
        computing = {entry.pid: entry.usedGpuMemory for entry in _listed(nvml, "Compute", handle)}
    except nvml.NVMLError as error:
        return GpuUse(problem=_sentence(f"GPU {uuid}", error))
    found = {**drawing, **computing}
    known_bytes = sum(size or 0 for size in found.values())
    return GpuUse(
        processes=tuple(_process(pid, size, draws=pid in drawing) for pid, size in sorted(found.items())),
        hidden_bytes=max(0, used - known_bytes) if is_exact else 0,
    )


def _nvml() -> ModuleType | None:
    """The initialised binding, or None where there is no driver. A failure is not remembered: drivers come and go."""
    global _loaded
    if _loaded is not None and _loaded[1] == os.getpid():
        return _loaded[0]
    try:
        nvml = import_module("pynvml")
    except ImportError:
        return None
    try:
        nvml.nvmlInit()  # anew after a fork: NVML's state does not survive one
    except nvml.NVMLError:
        return None
    _loaded = (nvml, os.getpid())
    return nvml


def _gpu(nvml: ModuleType, index: int) -> Gpu:
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        _, total, _ = _memory(nvml, handle)
        uuid = nvml.nvmlDeviceGetUUID(handle)
        return Gpu(index=index, uuid=uuid, name=nvml.nvmlDeviceGetName(handle), memory_bytes=total)
    except nvml.NVMLError as error:
        return Gpu(index=index, problem=_sentence(f"GPU {index}", error))


def _memory(nvml: ModuleType, handle: Any) -> tuple[int, int, bool]:  # handle: an opaque pointer of the binding
    """Used and total bytes, and whether `used` is free of what the driver keeps for itself."""
    try:
        info = nvml.nvmlDeviceGetMemoryInfo(handle, nvml.nvmlMemory_v2)
        return info.used, info.total, True
    except (nvml.NVMLError_FunctionNotFound, nvml.NVMLError_NotSupported):
        info = nvml.nvmlDeviceGetMemoryInfo(handle)  # drivers before 510
        return info.used, info.total, False


def _listed(nvml: ModuleType, kind: str, handle: Any) -> list[Any]:
    """Process entries of the binding, of kind "Compute" or "Graphics"; they have `pid` and `usedGpuMemory`."""
    for version in ("_v3", "_v2"):
        try:
            return list(getattr(nvml, f"nvmlDeviceGet{kind}RunningProcesses{version}")(handle))
        except (nvml.NVMLError_FunctionNotFound, nvml.NVMLError_NotSupported):
            continue
    return []


def _process(pid: int, memory_bytes: int | None, *, draws: bool) -> GpuProcess:
    user = name = ""
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            user, name = process.username(), process.name()
    except psutil.Error:  # ended just now, or lives in another container
        pass
    return GpuProcess(pid=pid, memory_bytes=memory_bytes, user=user, name=name, draws=draws)


def _ask(nvml: ModuleType, question: Callable[..., Any], *arguments: Any) -> Any:
    """The answer, or None where this GPU does not know it."""
    try:
        return question(*arguments)
    except nvml.NVMLError:
        return None


def _sentence(subject: str, error: Exception) -> str:
    text = str(error).rstrip(".")
    if "lost" in text.lower():
        return f"{subject} has fallen off the bus ({text}). Restart the machine; `nvidia-smi -q` may tell more."
    return f"{subject} does not answer ({text})."
