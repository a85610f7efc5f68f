"""How the server is: for whoever watches it. These addresses stand outside of the API, where tools look for them."""

import time
from collections.abc import Iterable

from fastapi import APIRouter, Request
from sqlalchemy import func, select
from starlette.responses import PlainTextResponse, Response

from runyard import __version__
from runyard.client import Client
from runyard.database.schema import queue, runs, workers
from runyard.records import RunState
from runyard.server import models
from runyard.server.answers import answer
from runyard.server.asking import Home
from runyard.server.measuring import CONTENT_TYPE, Meter, family

router = APIRouter(tags=["health"])

_SEEN_S = 120.0  # a worker that was silent for longer is gone
_TEXT = "Prometheus' text format, see docs/server.md."


@router.get("/health", response_model=models.Health)
def health(request: Request) -> Response:
    """Whether the server answers and reaches its database; else 503."""
    client: Client = request.app.state.client
    with client.database.read() as tx:
        tx.execute(select(runs.c.id).limit(1))
    return answer({"status": "ok", "version": __version__})


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses={200: {"description": _TEXT, "content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(request: Request, client: Home) -> Response:
    """Runs by state, the queue, workers, bytes that were delivered, and requests with their times."""
    meter: Meter = request.app.state.meter
    lines = [*_of_home(client), *meter.lines()]
    return Response("\n".join(lines) + "\n", media_type=CONTENT_TYPE)


def _of_home(client: Client) -> Iterable[str]:
    scope = client.index.scope
    by_state = select(runs.c.state, func.count()).where(runs.c.is_trashed.is_(False), scope.condition())
    by_place = select(queue.c.project, queue.c.state, func.count()).group_by(queue.c.project, queue.c.state)
    here = select(func.count()).select_from(workers).where(workers.c.seen_at > time.time() - _SEEN_S)
    with client.database.read() as tx:
        states = dict.fromkeys(RunState, 0) | {
            RunState(name): n for name, n in tx.execute(by_state.group_by(runs.c.state))
        }
        places = dict.fromkeys(("waiting", "held", "leased"), 0)
        for project, name, n in tx.execute(by_place):
            places[name] = places.get(name, 0) + (n if scope.allows(project) else 0)
        alive = tx.scalar(here) or 0
    yield from family("runyard_runs", "gauge", "Runs by state.", {(("state", str(s)),): n for s, n in states.items()})
    yield from family("runyard_queue", "gauge", "Runs in the queue.", {(("state", s),): n for s, n in places.items()})
    yield from family("runyard_workers", "gauge", "Workers that were there in the last two minutes.", {(): alive})
