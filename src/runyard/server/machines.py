"""Machines: their slots and who is on them.

The server looks at its own machine. Others tell through their workers how they and their slots do; of a machine without
a worker the runs that are executed there tell at least which devices they have.
"""

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import psutil

from runyard.client import Client
from runyard.client.machine_report import report
from runyard.client.reservations import Reservation
from runyard.devices import Slot, discover
from runyard.devices.slots import cores
from runyard.errors import NotFound
from runyard.hosts import host_name
from runyard.index import RunRow
from runyard.queue import Capacity, WorkerRow
from runyard.queue.presence import WORKER_SILENT_S
from runyard.queue.reports import MachineReport, SlotReport
from runyard.records import RunId, RunState

_KEPT_S = 1.0  # several pages ask for the same
_ELSEWHERE_KEPT_S = 3.0  # nothing there is known more exactly
_DISCOVERED_S = 30.0
_MOST_RUNS = 1000  # that run elsewhere


@dataclass
class _Elsewhere:
    """What is known of other machines: by host, how it does, and what runs on each device there.

    `has_own_worker`: a worker of the server's own machine was seen, too.
    """

    has_own_worker: bool = False
    reports: dict[str, MachineReport] = field(default_factory=dict)
    running: dict[str, dict[str, RunRow]] = field(default_factory=dict)


class Machines:
    """Looks at this machine's slots, hears of others; remembers a look for a moment."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._slots: list[Slot] = []
        self._slots_at = float("-inf")
        self._documents: list[dict[str, Any]] = []
        self._documents_at = float("-inf")
        self._elsewhere = _Elsewhere()
        self._elsewhere_at = float("-inf")
        psutil.cpu_percent()  # the first call has nothing to compare with

    def documents(self) -> list[dict[str, Any]]:
        """Every machine with its slots, as the API tells it; that of the server comes first."""
        with self._lock:
            if time.monotonic() - self._documents_at > _KEPT_S:
                elsewhere = self._heard()
                hosts = sorted(elsewhere.reports.keys() | elsewhere.running.keys())
                self._documents = [self._own(), *(self._other(host, elsewhere) for host in hosts)]
                self._documents_at = time.monotonic()
            return self._documents

    def forget(self) -> None:
        """Something was changed through this server: the next one who asks gets a new look."""
        with self._lock:
            self._documents_at = self._elsewhere_at = float("-inf")

    def slot(self, host: str, name: str) -> tuple[str, str]:
        """Name and label of a slot of a machine.

        Raises:
            NotFound: there is none of that name.
        """
        if host == host_name():
            known = {slot.name: slot.label for slot in self._discovered()}
        else:
            found = self._heard().reports.get(host)
            known = {slot.name: slot.label for slot in found.slots} if found else {}
        if name not in known:
            raise NotFound(f"There is no slot '{name[:80]}' on a machine '{host[:80]}'.")
        return name, known[name]

    def states(self) -> list[tuple[str, ...]]:
        """Host, name, state, run and reservation of every slot: what must change to be news."""
        return [
            (machine["host"], each["name"], each["state"], each["run_id"] or "", str(each["reservation"]))
            for machine in self.documents()
            for each in machine["slots"]
        ]

    def capacity(self) -> Capacity:
        """What the machines with workers offer together when they are idle, for estimates; without any, this one."""
        heard, own = self._heard(), self._discovered()
        slots = [(slot.kind, slot.memory_bytes) for slot in own if not slot.problem]
        if heard.reports and not heard.has_own_worker:
            slots = []
        slots += [
            (slot.kind, slot.memory_total_bytes or 0)
            for told in heard.reports.values()
            for slot in told.slots
            if not slot.is_sick
        ]
        memory = tuple(size for kind, size in slots if kind == "gpu")
        count = len(slots) - len(memory)
        return Capacity(
            gpu_memory_bytes=memory,
            all_gpu_memory_bytes=memory,
            cpu_slots=count,
            all_cpu_slots=count,
            cores_per_slot=cores() / max(1, sum(not slot.is_gpu for slot in own)),
        )

    def _discovered(self) -> list[Slot]:
        if time.monotonic() - self._slots_at > _DISCOVERED_S:
            self._slots = discover()
            self._slots_at = time.monotonic()
        return self._slots

    # ---- this machine ----

    def _own(self) -> dict[str, Any]:
        found = report(self._discovered(), disk=self._client.home.path)
        runs = {slot.name: self._run(slot.run_id) for slot in found.slots}
        return self._machine(host_name(), found, runs)

    def _run(self, run_id: str) -> RunRow | None:
        """The run on a slot, if it is one of this home."""
        try:
            return self._client.index.get(run_id) if run_id else None
        except NotFound:
            return None

    # ---- the others ----

    def _heard(self) -> _Elsewhere:
        if time.monotonic() - self._elsewhere_at > _ELSEWHERE_KEPT_S:
            workers = self._client.queue.workers()
            self._elsewhere = _Elsewhere(
                has_own_worker=any(each.host == host_name() for each in workers),
                reports=_reports(workers, now=time.time()),
                running=self._running_elsewhere(),
            )
            self._elsewhere_at = time.monotonic()
        return self._elsewhere

    def _running_elsewhere(self) -> dict[str, dict[str, RunRow]]:
        query = f'state == "{RunState.RUNNING}" and host != "{host_name()}"'
        found: dict[str, dict[str, RunRow]] = {}
        for row in self._client.index.find(query, limit=_MOST_RUNS):
            if row.host:
                here = found.setdefault(row.host, {})
                for device in row.devices or ("run",):
                    here[f"{device}#{len(here)}" if device in here or not row.devices else device] = row
        return found

    def _other(self, host: str, elsewhere: _Elsewhere) -> dict[str, Any]:
        running: dict[str, RunRow] = elsewhere.running.get(host, {})
        told = elsewhere.reports.get(host)
        places = {row.id: place for place, row in running.items()}
        runs: dict[str, RunRow | None] = {}
        slots = []
        for slot in told.slots if told else ():
            place = places.get(RunId(slot.run_id), slot.name)
            runs[slot.name] = running.get(place)
            slots.append(self._newer(slot, runs[slot.name]))
        heard = {row.id for row in runs.values() if row}
        unheard = {
            f"{place}#" if place in runs else place: row for place, row in running.items() if row.id not in heard
        }
        slots += [_slot_of_run(place, row) for place, row in unheard.items()]
        document = self._machine(host, told, runs | unheard, slots=slots)
        return document | (_measured_by(running.values()) if told is None else {})

    def _newer(self, slot: SlotReport, row: RunRow | None) -> SlotReport:
        """What a worker told some seconds ago, without a run that has ended since."""
        if row is None and slot.run_id and self._run(slot.run_id) is not None:
            return msgspec.structs.replace(slot, reason="", run_id="", user="")
        return slot

    # ---- both ----

    def _machine(
        self,
        host: str,
        told: MachineReport | None,
        runs: Mapping[str, RunRow | None],
        *,
        slots: Iterable[SlotReport] | None = None,
    ) -> dict[str, Any]:
        held = self._client.reservations.active(now=time.time(), host=host)
        reserved = {each.slot: each for each in held}
        shown = list(told.slots if slots is None and told else slots or ())
        has_gpus = any(slot.kind == "gpu" for slot in shown)
        found = [_slot(slot, runs.get(slot.name), reserved.get(slot.name)) for slot in shown]
        return {
            "host": host,
            "cpu_percent": told.cpu_percent if told else None,
            "memory_used_bytes": told.memory_used_bytes if told else None,
            "memory_total_bytes": told.memory_total_bytes if told else None,
            "disk_free_bytes": told.disk_free_bytes if told else None,
            # on a machine with GPUs, idle CPU slots say nothing
            "slots": [
                each
                for each in found
                if each["kind"] == "gpu" or not has_gpus or each["state"] in ("running", "reserved")
            ],
        }


def _reports(workers: Iterable[WorkerRow], *, now: float) -> dict[str, MachineReport]:
    """By host, what the worker told that was seen last; slots that only another one has come behind."""
    found: dict[str, MachineReport] = {}
    for worker in sorted(workers, key=lambda each: -each.seen_at):
        told = worker.report
        if told is None or worker.host == host_name() or worker.seen_at < now - WORKER_SILENT_S:
            continue
        newer = found.get(worker.host)
        if newer is None:
            found[worker.host] = told
            continue
        known = {slot.name for slot in newer.slots}
        more = tuple(slot for slot in told.slots if slot.name not in known)
        found[worker.host] = MachineReport(
            cpu_percent=newer.cpu_percent,
            memory_used_bytes=newer.memory_used_bytes,
            memory_total_bytes=newer.memory_total_bytes,
            disk_free_bytes=newer.disk_free_bytes,
            slots=(*newer.slots, *more),
        )
    return found


def _slot_of_run(name: str, row: RunRow) -> SlotReport:
    """The device that a run has on a machine of which nobody else tells."""
    device_of_run = name.partition("#")[0]  # several runs may share one
    place = row.devices.index(device_of_run) if device_of_run in row.devices else 0
    is_gpu = name.startswith(("GPU-", "MIG-"))
    device = row.device_names[place] if is_gpu and place < len(row.device_names) else ""

    def measured(key: str) -> float | None:
        last = row.summary[f"sys/gpu{place}/{key}"].last if f"sys/gpu{place}/{key}" in row.summary else None
        return last if last is not None and last == last else None

    used = measured("memory_used_bytes")
    return SlotReport(
        name=name,
        kind="gpu" if is_gpu else "cpu",
        label=f"GPU {place}" if is_gpu else device_of_run.replace("cpu-", "CPU ") if row.devices else "CPU",
        device=device,
        run_id=row.id,
        user=row.user,
        util_percent=measured("utilization_percent"),
        memory_used_bytes=None if used is None else int(used),
        temperature_c=measured("temperature_c"),
    )


def _measured_by(rows: Iterable[RunRow]) -> dict[str, Any]:
    """How a machine does, as the supervisors of its runs measured it last."""
    newest = max(rows, key=lambda row: row.started_at or row.created_at)

    def last(key: str) -> float | None:
        found = newest.summary[f"sys/{key}"].last if f"sys/{key}" in newest.summary else None
        return found if found is not None and found == found else None

    used, percent, free = last("memory_used_bytes"), last("memory_percent"), last("disk_free_bytes")
    return {
        "cpu_percent": last("cpu_percent"),
        "memory_used_bytes": None if used is None else int(used),
        "memory_total_bytes": int(100 * used / percent) if used is not None and percent else None,
        "disk_free_bytes": None if free is None else int(free),
    }


def _slot(slot: SlotReport, row: RunRow | None, held: Reservation | None) -> dict[str, Any]:
    reason = "" if row else slot.reason
    state = "running" if row else "sick" if slot.is_sick else "busy" if reason else "reserved" if held else "free"
    return {
        "name": slot.name,
        "label": slot.label,
        "kind": slot.kind,
        "device": slot.device or None,
        "state": state,
        "run_id": row.id if row else None,
        "run_name": row.name if row else None,
        "user": (slot.user or (row.user if row else "")) or None,
        "progress": _share(row) if row else None,
        "eta_s": _left_s(row) if row else None,
        "reason": reason or (held.sentence() if held else None),
        "reservation": reservation_document(held) if held else None,
        "used_by": [
            {"pid": each.pid, "name": each.name, "user": each.user, "memory_bytes": each.memory_bytes}
            for each in slot.processes
        ],
        "util_percent": slot.util_percent,
        "memory_used_bytes": slot.memory_used_bytes,
        "memory_total_bytes": slot.memory_total_bytes,
        "temperature_c": slot.temperature_c,
        "power_w": slot.power_w,
    }


def reservation_document(held: Reservation) -> dict[str, Any]:
    """A reservation, as the API tells it."""
    since, until = (datetime.fromtimestamp(seconds, UTC) for seconds in (held.since, held.until))
    return {"user": held.user, "since": since, "until": until, "why": held.why}


def _share(row: RunRow) -> float | None:
    """How much of it is done, 0 to 1."""
    if row.progress is None or row.progress.total <= 0:
        return None
    return min(max(row.progress.done / row.progress.total, 0.0), 1.0)


def _left_s(row: RunRow) -> float | None:
    if row.progress is None or row.progress.remaining_s is None:
        return None
    return max(0.0, row.progress.remaining_s - (time.time() - row.progress.last_at.timestamp()))
