"""Why a run does not run, in a sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

from runyard.devices.slots import cores
from runyard.queue import Capacity, QueueRow, WorkerRow, demand_of

_GIB = 1 << 30


def reason(
    row: QueueRow,
    *,
    place: int | None,
    paused: Mapping[str, str],
    workers: Sequence[WorkerRow],
    slots: Sequence[Mapping[str, Any]],
    capacity: Capacity,
) -> str:
    """Why a run waits or is held; "" if it runs.

    Args:
        place: of a waiting run, from 1 over all projects.
        paused: project -> who paused it.
        workers: those that were seen lately.
        slots: of all machines, as the API tells them.
        capacity: of all machines together.
    """
    if row.state == "held":
        return row.held_reason or "held"
    if row.state != "waiting":
        return ""
    if row.project in paused:
        return f"{row.project} was paused by {paused[row.project]}"
    if row.refused:
        return " ".join(row.refused)
    if too_large := _too_large(row, capacity):
        return too_large
    if place is not None and place > 1:
        return f"{place - 1:,} before it"
    if not workers:
        return "no worker is there: start one with python run.py work"
    return _taken(row, slots, capacity)


def _too_large(row: QueueRow, capacity: Capacity) -> str:
    """What it needs that the machines do not have even when they are idle."""
    largest = sorted(capacity.all_gpu_memory_bytes, reverse=True)
    if (row.gpus or 0) > len(largest):
        return f"needs {_count(row.gpus or 0, 'GPU')}; the machines here have {len(largest)}"
    wanted = demand_of(capacity, gpus=row.gpus, cpus=row.cpus).gpus
    if wanted and (row.gpu_memory_bytes or 0) > largest[wanted - 1]:
        have = f"the largest here has {largest[0] / _GIB:.0f} GiB"
        return f"needs {_count(wanted, 'GPU')} with {(row.gpu_memory_bytes or 0) / _GIB:.0f} GiB; {have}"
    if (row.cpus or 0) > cores():
        return f"needs {row.cpus:g} cores; this machine has {cores()}"
    return ""


def _taken(row: QueueRow, slots: Sequence[Mapping[str, Any]], capacity: Capacity) -> str:
    wanted = demand_of(capacity, gpus=row.gpus, cpus=row.cpus)
    kind = "gpu" if wanted.gpus else "cpu"
    count = wanted.gpus or wanted.cpu_slots
    fitting = [slot for slot in slots if slot["kind"] == kind]
    free = sum(slot["state"] == "free" for slot in fitting)
    if free >= count:
        return "starts in a moment"
    if count > 1:
        return f"waits for {_count(count, 'free GPU' if kind == 'gpu' else 'free slot')}; {free} free now"
    states = [slot["state"] for slot in fitting]
    words = {"running": "running", "reserved": "reserved", "busy": "used outside the queue", "sick": "out of order"}
    parts = [f"{states.count(state)} {word}" for state, word in words.items() if state in states]
    return f"waits for a free {'GPU' if kind == 'gpu' else 'slot'}: {', '.join(parts)}" if parts else "waits for a slot"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
