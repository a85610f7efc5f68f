"""Slots: the places of one machine where a run can train, each for one run at a time.

A slot is a whole GPU, or a CPU slot. It is taken through its machine-wide lock; a GPU that somebody
uses outside Runyard is left alone although its lock is free. Everything that stands in the way is
said in a sentence that names user and process.
"""

import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from runyard.devices.locks import Holder, SlotLock
from runyard.devices.nvml import GpuProcess, gpu_use, gpus
from runyard.errors import DeviceUnavailable, UsageError

CPU_SLOTS_VARIABLE = "RUNYARD_CPU_SLOTS"
FOREIGN_MIB_VARIABLE = "RUNYARD_FOREIGN_MIB"
FOREIGN_MIB = 200  # what a display or a monitoring tool may hold on a GPU that still counts as free


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A place for one run. `problem` is empty, or says why the GPU cannot be used."""

    name: str  # of its lock: the GPU's UUID, or "cpu-<n>"
    kind: Literal["gpu", "cpu"]
    label: str  # for people: "GPU 0", "CPU 3"
    uuid: str = ""
    index: int = 0
    device_name: str = ""
    memory_bytes: int = 0  # of the GPU
    problem: str = ""

    @property
    def is_gpu(self) -> bool:
        """Whether it is a GPU."""
        return self.kind == "gpu"


@dataclass(frozen=True)
class Taken:
    """A slot that is ours as long as the lock is held."""

    slot: Slot
    lock: SlotLock


@dataclass(frozen=True)
class Busy:
    """A slot that cannot be taken now, and why. One that is broken has to be repaired before it can be."""

    slot: Slot
    reason: str
    is_broken: bool = False


def discover(gpu_indices: Sequence[int] | None = None, *, cpu: bool = False) -> list[Slot]:
    """The slots of this machine: GPUs first, then CPU slots.

    Args:
        gpu_indices: only these GPUs, by NVML index, and no CPU slots. None: all that
            CUDA_VISIBLE_DEVICES leaves visible.
        cpu: only CPU slots.

    Raises:
        DeviceUnavailable: a GPU was asked for that this machine does not have.
    """
    if cpu:
        return cpu_slots()
    found = [_gpu_slot(gpu.index, gpu.uuid, gpu.name, gpu.memory_bytes, gpu.problem) for gpu in gpus()]
    if gpu_indices is not None:
        return [_with_index(found, index) for index in dict.fromkeys(gpu_indices)]
    return [*_visible(found, os.environ.get("CUDA_VISIBLE_DEVICES")), *cpu_slots()]


_CPU = "cpu-"


def is_cpu_slot(name: str) -> bool:
    """Whether a slot of this name is no GPU."""
    return name.startswith(_CPU)


def cpu_slots() -> list[Slot]:
    """One CPU slot per core, or as many as RUNYARD_CPU_SLOTS says.

    Raises:
        UsageError: the variable holds no positive number.
    """
    text = os.environ.get(CPU_SLOTS_VARIABLE)
    count = _positive(CPU_SLOTS_VARIABLE, text) if text else cores()
    return [Slot(name=f"{_CPU}{n}", kind="cpu", label=f"CPU {n}", index=n) for n in range(count)]


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def candidates(slots: Sequence[Slot], n_gpus: int | None) -> tuple[list[Slot], int]:
    """The slots that a run with `resources.gpus == n_gpus` may use, and how many of them it needs."""
    with_gpu = [slot for slot in slots if slot.is_gpu]
    without = [slot for slot in slots if not slot.is_gpu]
    if n_gpus is None:
        return (with_gpu or without), 1
    return (with_gpu, n_gpus) if n_gpus else (without, 1)


def env_for(slots: Sequence[Slot], n_slots: int) -> dict[str, str]:
    """The environment that confines a run to its slots.

    Args:
        slots: what the run holds: GPUs, or CPU slots.
        n_slots: how many CPU slots the machine has; its cores are shared evenly among them.
    """
    uuids = [slot.uuid for slot in slots if slot.is_gpu]
    if uuids:
        return {"CUDA_VISIBLE_DEVICES": ",".join(uuids)}
    threads = str(max(1, cores() * len(slots) // max(1, n_slots)))
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {"CUDA_VISIBLE_DEVICES": "", **dict.fromkeys(names, threads)}


def take(slot: Slot, holder: Holder, *, directory: Path | None = None) -> Taken | Busy:
    """Take a slot if it is free: its lock, and for a GPU also nobody outside Runyard on it."""
    if slot.problem:
        return Busy(slot, slot.problem)
    lock = SlotLock(slot.name, directory=directory)
    try:
        if not lock.try_acquire(holder):
            return Busy(slot, _held_sentence(slot, lock.holder()))
    except DeviceUnavailable as error:
        return Busy(slot, f"{slot.label} is left out. {error}", is_broken=True)
    reason = _foreign_use(slot, ours={holder.pid, os.getpid()})
    if reason:
        lock.release()
        return Busy(slot, reason)
    return Taken(slot, lock)


def busy_reason(slot: Slot, *, directory: Path | None = None) -> str:
    """Why a slot cannot be taken now, or ""; only looks."""
    if slot.problem:
        return slot.problem
    lock = SlotLock(slot.name, directory=directory)
    try:
        holder = lock.holder()
    except DeviceUnavailable as error:
        return f"{slot.label} is left out. {error}"
    return _held_sentence(slot, holder) if holder else _foreign_use(slot, ours={os.getpid()})


def acquire_any(
    slots: Sequence[Slot],
    holder: Holder,
    *,
    wait: Callable[[], object],
    on_wait: Callable[[list[str]], object] = lambda reasons: None,
    closed: Callable[[Slot], str] = lambda slot: "",
    count: int = 1,
    directory: Path | None = None,
) -> list[Taken]:
    """Wait until `count` of the slots are free, and take them together or not at all.

    Args:
        slots: where to look, in this order.
        wait: called between two looks; returns when it is time for the next one, and may raise to give up.
        on_wait: told whom we wait for: at first, and whenever that changes.
        closed: why a slot must be left alone although it may be free, or "".

    Raises:
        DeviceUnavailable: there are fewer usable slots than asked for, or too many locks are broken, so waiting would
            not end.
    """
    usable = [slot for slot in slots if not slot.problem]
    if len(usable) < count:
        problems = " ".join(slot.problem for slot in slots if slot.problem)
        raise DeviceUnavailable(
            f"{count} slot(s) are needed and this machine has {len(usable)} for it. {problems}".rstrip()
        )
    told: list[str] = []
    while True:
        taken, busy = _take_up_to(usable, holder, closed=closed, count=count, directory=directory)
        if len(taken) == count:
            return taken
        for held in taken:
            held.lock.release()
        reasons = [each.reason for each in busy]
        if len(taken) + sum(not each.is_broken for each in busy) < count:
            raise DeviceUnavailable(" ".join(reasons))
        if reasons != told:
            told = reasons
            on_wait(reasons)
        wait()


def _take_up_to(
    slots: Iterable[Slot], holder: Holder, *, closed: Callable[[Slot], str], count: int, directory: Path | None
) -> tuple[list[Taken], list[Busy]]:
    taken: list[Taken] = []
    busy: list[Busy] = []
    for slot in slots:
        if why := closed(slot):
            busy.append(Busy(slot, why))
            continue
        result = take(slot, holder, directory=directory)
        if isinstance(result, Busy):
            busy.append(result)
            continue
        taken.append(result)
        if len(taken) == count:
            break
    return taken, busy


def _gpu_slot(index: int, uuid: str, name: str, memory_bytes: int, problem: str) -> Slot:
    return Slot(
        name=uuid or f"gpu-{index}",
        kind="gpu",
        label=f"GPU {index}",
        uuid=uuid,
        index=index,
        device_name=name,
        memory_bytes=memory_bytes,
        problem=problem,
    )


def _with_index(slots: Sequence[Slot], index: int) -> Slot:
    for slot in slots:
        if slot.index == index:
            return slot
    if not slots:
        raise DeviceUnavailable(f"GPU {index} was asked for, but this machine has no GPU that the driver knows.")
    known = ", ".join(str(slot.index) for slot in slots)
    raise DeviceUnavailable(f"GPU {index} was asked for, but this machine has GPU {known}.")


def _visible(slots: Sequence[Slot], variable: str | None) -> list[Slot]:
    """Keep what CUDA_VISIBLE_DEVICES names, by index or UUID; like CUDA, stop at the first unknown name."""
    if variable is None:
        return list(slots)
    kept: list[Slot] = []
    for name in (part.strip() for part in variable.split(",")):
        match = [s for s in slots if str(s.index) == name or (name.startswith("GPU-") and s.uuid.startswith(name))]
        if not match:
            break
        kept += [slot for slot in match if slot not in kept]
    return kept


def _held_sentence(slot: Slot, holder: Holder | None) -> str:
    # None: it was given back between our try and our look; the next try will get it
    return f"{slot.label} is taken by {holder.sentence()}." if holder else f"{slot.label} is changing hands."


def _foreign_use(slot: Slot, *, ours: set[int]) -> str:
    """Who uses this GPU outside Runyard, as a sentence; "" if nobody does."""
    if not slot.is_gpu:
        return ""
    use = gpu_use(slot.uuid)
    if use.problem:
        return use.problem.replace(f"GPU {slot.uuid}", slot.label)
    tolerated_bytes = _tolerated_mib() << 20
    foreign = [process for process in use.processes if _competes(process, tolerated_bytes, ours)]
    if foreign:
        return f"{slot.label} is used outside Runyard by {', '.join(_describe(process) for process in foreign)}."
    if not use.processes and use.hidden_bytes > tolerated_bytes:
        return (
            f"{slot.label} is used outside Runyard: {_gib(use.hidden_bytes)} of its memory are taken by a process "
            f"that cannot be seen from here. {FOREIGN_MIB_VARIABLE} sets how many MiB are tolerated."
        )
    return ""


def _competes(process: GpuProcess, tolerated_bytes: int, ours: set[int]) -> bool:
    if process.draws:  # a desktop is no training, and without this its owner could never train on it
        return False
    is_gone = not process.name and not psutil.pid_exists(process.pid)
    if is_gone and (process.memory_bytes or 0) <= tolerated_bytes:  # the driver lists the dead for a moment
        return False
    return not _descends(process.pid, ours)


def _descends(pid: int, ancestors: set[int]) -> bool:
    if pid in ancestors:
        return True
    try:
        return any(parent.pid in ancestors for parent in psutil.Process(pid).parents())
    except psutil.Error:
        return False


def _describe(process: GpuProcess) -> str:
    who = process.user or "a user who cannot be seen from here"
    what = process.name or "process"
    memory = "" if process.memory_bytes is None else f", {_gib(process.memory_bytes)}"
    return f"{who} ({what} {process.pid}{memory})"


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 30):.1f} GiB"


def _tolerated_mib() -> int:
    text = os.environ.get(FOREIGN_MIB_VARIABLE)
    return _positive(FOREIGN_MIB_VARIABLE, text) if text else FOREIGN_MIB


def _positive(variable: str, text: str) -> int:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (number >= 1 and number == int(number)):
        raise UsageError(f"{variable} is '{text}'; it must be a whole number of at least 1.")
    return int(number)
