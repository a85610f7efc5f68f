"""The queue and the machines: what runs where, what waits, why, and until when."""

import time
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import Field
from sqlalchemy import select
from starlette.responses import Response

from runyard.client import Client
from runyard.client.estimating import Estimator
from runyard.client.reservations import LONGEST_H, Reservation
from runyard.database.schema import runs
from runyard.errors import NotFound
from runyard.hosts import host_name
from runyard.index import RunRow
from runyard.queue import Eta, QueueRow
from runyard.queue.presence import WORKER_SILENT_S
from runyard.records import RunId
from runyard.server import models
from runyard.server.answers import answer
from runyard.server.asking import Body, Home, Project, Slots, Watched, batches
from runyard.server.machines import Machines, reservation_document
from runyard.server.waiting import reason as waiting_reason
from runyard.server.watching import Watcher

router = APIRouter(tags=["queue"])

_Name = Annotated[str, Path(max_length=255)]
_STATES = {"leased": "RUNNING", "waiting": "QUEUED", "held": "HELD"}


@router.get("/queue", response_model=models.Queue)
def queue(client: Home, machines: Slots, project: Project = None) -> Response:
    """What runs, then what waits in the order in which it will start; places count from 1 over all projects."""
    rows, paused = client.queue.rows(), client.queue.paused()
    times = estimate(client, machines, rows, paused)
    scope = client.index.scope
    shown = [row for row in rows if scope.allows(row.project) and project in (None, row.project)]
    names = _names(client, [row.run_id for row in shown])
    waiting = [row.run_id for row in rows if row.state == "waiting"]
    places = {run_id: place for place, run_id in enumerate(waiting, start=1)}
    counts = client.queue.counts(project)
    now = time.time()
    common: dict[str, Any] = {
        "paused": paused,
        "workers": [each for each in client.queue.workers() if each.seen_at > now - WORKER_SILENT_S],
        "slots": [slot for machine in machines.documents() for slot in machine["slots"]],
        "capacity": machines.capacity(),
    }

    def why(row: QueueRow) -> str:
        return waiting_reason(row, place=places.get(row.run_id), **common)

    return answer(
        {
            "paused": {name: by for name, by in paused.items() if scope.allows(name)},
            "rows": [_row(row, names.get(row.run_id, ""), places.get(row.run_id), why(row), times) for row in shown],
            "counts": {name: getattr(counts, name) for name in ("waiting", "held", "leased", "paused")},
            "eta_s": times.queue_s if rows else None,
        }
    )


@router.get("/machines", response_model=models.Machines)
def machines(client: Home, machines: Slots) -> Response:
    """Every machine: its slots, who is on them, and how busy they are. That of the server comes first; others as their
    workers tell every 15 seconds, or as far as the runs there tell."""
    found = machines.documents()
    if client.index.scope.is_everything:
        return answer({"machines": found})
    ids = [slot["run_id"] for machine in found for slot in machine["slots"] if slot["run_id"]]
    hidden = set(ids) - set(client.index.visible(ids))
    return answer({"machines": [each | {"slots": [_shown(slot, hidden) for slot in each["slots"]]} for each in found]})


class Wish(Body):
    """A slot for oneself: for how many hours, and why."""

    hours: Annotated[float, Field(gt=0, le=LONGEST_H, strict=False)]
    why: Annotated[str, Field(max_length=500)] = ""


@router.put("/machines/{host}/slots/{slot}/reservation", response_model=models.Reservation)
def reserve(client: Home, watcher: Watched, machines: Slots, host: _Name, slot: _Name, wish: Wish) -> Response:
    """Keep the queue off a slot for some hours, from now on. A run that is on it goes on; one's own is replaced."""
    name, label = machines.slot(host, slot)
    made = client.reservations.reserve(
        host=host, slot=name, label=label, user=client.by, hours=wish.hours, now=time.time(), why=wish.why
    )
    return _told_of(made, watcher, machines)


@router.delete("/machines/{host}/slots/{slot}/reservation", response_model=models.Reservation)
def end_reservation(client: Home, watcher: Watched, machines: Slots, host: _Name, slot: _Name) -> Response:
    """Give a slot back to the queue before its time."""
    return _told_of(client.reservations.end(host=host, slot=slot, now=time.time()), watcher, machines)


def _told_of(held: Reservation, watcher: Watcher, machines: Machines) -> Response:
    machines.forget()
    watcher.note(machines=True)
    return answer(reservation_document(held))


def estimate(client: Client, machines: Machines, rows: list[QueueRow], paused: dict[str, str]) -> Eta:
    """When the runs of the queue will be done."""
    if not rows:
        return Eta()
    views = {row.run_id: _view(client, row.run_id) for row in rows if row.state == "leased"}
    estimator = Estimator(client.index)
    now = time.time()
    return estimator.estimate(
        rows,
        views,
        paused=paused,
        capacity=machines.capacity(),
        now=now,
        reservations=client.reservations.active(now=now, host=host_name()),
    )


def _row(row: QueueRow, name: str, place: int | None, why: str, times: Eta) -> dict[str, Any]:
    since = (row.claimed_at if row.state == "leased" else None) or row.queued_at
    return {
        "id": row.run_id,
        "name": name,
        "project": row.project,
        "grid": row.grid,
        "user": row.user,
        "state": _STATES.get(row.state, row.state),
        "place": place,
        "priority": row.priority,
        "attempt": row.attempt,
        "reason": why,
        "since": datetime.fromtimestamp(since, UTC),
        "eta_s": times.runs.get(row.run_id),
    }


def _shown(slot: dict[str, Any], hidden: set[str]) -> dict[str, Any]:
    """A slot; of a run that may not be seen only that there is one."""
    if slot["run_id"] not in hidden:
        return slot
    nothing = dict.fromkeys(("run_id", "run_name", "user", "progress", "eta_s"))
    return slot | nothing | {"state": "busy", "reason": "a run of a private project"}


def _names(client: Client, ids: list[RunId]) -> dict[str, str]:
    names: dict[str, str] = {}
    with client.database.read() as tx:
        for batch in batches(ids):
            found = select(runs.c.id, runs.c.name).where(runs.c.id.in_(batch))
            names |= {row.id: row.name for row in tx.execute(found)}
    return names


def _view(client: Client, run_id: str) -> RunRow | None:
    try:
        return client.index.get(run_id)
    except NotFound:
        return None
