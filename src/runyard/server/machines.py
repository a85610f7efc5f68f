"""Machines: their slots and who is on them. So far that is the server's own; workers of others show in the queue."""

import shutil
import threading
import time
from datetime import UTC, datetime
from typing import Any

import psutil

from runyard.client import Client
from runyard.client.reservations import Reservation
from runyard.devices import Slot, SlotLock, busy_reason, discover, gpu_processes, gpu_sample
from runyard.devices.slots import cores
from runyard.errors import NotFound, RunyardError
from runyard.hosts import host_name
from runyard.index import RunRow
from runyard.queue import Capacity

_KEPT_S = 1.0  # several pages ask for the same
_DISCOVERED_S = 30.0


class Machines:
    """Looks at this machine's slots; remembers a look for a moment."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._slots: list[Slot] = []
        self._slots_at = float("-inf")
        self._documents: list[dict[str, Any]] = []
        self._documents_at = float("-inf")
        psutil.cpu_percent()  # the first call has nothing to compare with

    def documents(self) -> list[dict[str, Any]]:
        """Every machine with its slots, as the API tells it."""
        with self._lock:
            if time.monotonic() - self._documents_at > _KEPT_S:
                self._documents = [self._machine()]
                self._documents_at = time.monotonic()
            return self._documents

    def forget(self) -> None:
        """Something was changed through this server: the next one who asks gets a new look."""
        with self._lock:
            self._documents_at = float("-inf")

    def slot(self, host: str, name: str) -> Slot:
        """A slot of a machine.

        Raises:
            NotFound: there is none of that name.
        """
        found = self._discovered() if host == host_name() else []
        for slot in found:
            if slot.name == name:
                return slot
        raise NotFound(f"There is no slot '{name[:80]}' on a machine '{host[:80]}'.")

    def states(self) -> list[tuple[str, ...]]:
        """Name, state, run and reservation of every slot: what must change to be news."""
        return [
            (each["name"], each["state"], each["run_id"] or "", str(each["reservation"]))
            for each in self.documents()[0]["slots"]
        ]

    def capacity(self) -> Capacity:
        """What this machine offers when it is idle, for estimates."""
        slots = self._discovered()
        memory = tuple(slot.memory_bytes for slot in slots if slot.is_gpu and not slot.problem)
        count = sum(not slot.is_gpu for slot in slots)
        return Capacity(
            gpu_memory_bytes=memory,
            all_gpu_memory_bytes=memory,
            cpu_slots=count,
            all_cpu_slots=count,
            cores_per_slot=cores() / max(1, count),
        )

    def _discovered(self) -> list[Slot]:
        if time.monotonic() - self._slots_at > _DISCOVERED_S:
            self._slots = discover()
            self._slots_at = time.monotonic()
        return self._slots

    def _machine(self) -> dict[str, Any]:
        memory = psutil.virtual_memory()
        slots = self._discovered()
        has_gpus = any(slot.is_gpu for slot in slots)
        held = self._client.reservations.active(now=time.time(), host=host_name())
        reserved = {each.slot: each for each in held}
        found = [self._slot(slot, reserved) for slot in slots]
        return {
            "host": host_name(),
            "cpu_percent": psutil.cpu_percent(),
            "memory_used_bytes": memory.total - memory.available,
            "memory_total_bytes": memory.total,
            "disk_free_bytes": shutil.disk_usage(self._client.home.path).free,
            # on a machine with GPUs, idle CPU slots say nothing
            "slots": [
                each
                for each in found
                if each["kind"] == "gpu" or not has_gpus or each["state"] in ("running", "reserved")
            ],
        }

    def _slot(self, slot: Slot, reserved: dict[str, Reservation]) -> dict[str, Any]:
        holder = None if slot.problem else SlotLock(slot.name).holder()
        row = self._run(holder.run_id) if holder and holder.run_id else None
        reason = "" if row else _why_busy(slot)
        held = reserved.get(slot.name)
        is_busy = bool(reason or holder)
        state = "running" if row else "sick" if slot.problem else "busy" if is_busy else "reserved" if held else "free"
        described: dict[str, Any] = {
            "name": slot.name,
            "label": slot.label,
            "kind": slot.kind,
            "device": slot.device_name or None,
            "state": state,
            "run_id": row.id if row else None,
            "run_name": row.name if row else None,
            "user": holder.user if holder else None,
            "progress": _share(row) if row else None,
            "eta_s": _left_s(row) if row else None,
            "reason": reason or (held.sentence() if held else None),
            "reservation": reservation_document(held) if held else None,
            "used_by": _outsiders(slot) if state == "busy" and not holder else [],
        }
        return described | dict(_measures(slot))

    def _run(self, run_id: str) -> RunRow | None:
        """The run on a slot, if it is one of this home."""
        try:
            return self._client.index.get(run_id)
        except NotFound:
            return None


def _why_busy(slot: Slot) -> str:
    try:
        return busy_reason(slot)
    except RunyardError as problem:  # a lock file that may not be opened
        return str(problem)


def reservation_document(held: Reservation) -> dict[str, Any]:
    """A reservation, as the API tells it."""
    since, until = (datetime.fromtimestamp(seconds, UTC) for seconds in (held.since, held.until))
    return {"user": held.user, "since": since, "until": until, "why": held.why}


def _outsiders(slot: Slot) -> list[dict[str, Any]]:
    """Who computes on a GPU outside Runyard."""
    found = gpu_processes(slot.uuid) if slot.uuid else []
    return [
        {"pid": each.pid, "name": each.name, "user": each.user, "memory_bytes": each.memory_bytes}
        for each in found
        if not each.draws
    ]


def _share(row: RunRow) -> float | None:
    """How much of it is done, 0 to 1."""
    if row.progress is None or row.progress.total <= 0:
        return None
    return min(max(row.progress.done / row.progress.total, 0.0), 1.0)


def _left_s(row: RunRow) -> float | None:
    if row.progress is None or row.progress.remaining_s is None:
        return None
    return max(0.0, row.progress.remaining_s - (time.time() - row.progress.last_at.timestamp()))


def _measures(slot: Slot) -> dict[str, Any]:
    found = gpu_sample(slot.uuid) if slot.is_gpu and slot.uuid else None
    return {
        "util_percent": found.utilization_percent if found else None,
        "memory_used_bytes": found.memory_used_bytes if found else None,
        "memory_total_bytes": (found.memory_total_bytes if found else None) or slot.memory_bytes or None,
        "temperature_c": found.temperature_c if found else None,
        "power_w": found.power_w if found else None,
    }
