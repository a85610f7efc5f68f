"""Actions on many runs at once: stop, retry, hold, release, trash, restore, and the order of the queue."""

import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from pydantic import Field
from starlette.responses import Response

from runyard.client import Client, checkpoints
from runyard.errors import ConflictError, NotFound, RunyardError, UsageError
from runyard.records import RunState
from runyard.server import models
from runyard.server.answers import answer
from runyard.server.asking import Body, Home, Watched

router = APIRouter(tags=["actions"])

_HIGHEST_PRIORITY = 1_000_000
_MOST = 10_000
_ByRun = Callable[[Client, str, Any], object]


class Action(Body):
    """`value`: for stop and hold the reason, for priority a number, for before the id of a run."""

    action: Literal[
        "stop",
        "retry",
        "hold",
        "release",
        "trash",
        "restore",
        "restore_checkpoints",
        "priority",
        "top",
        "bottom",
        "before",
    ]
    runs: Annotated[list[str], Field(min_length=1, max_length=_MOST)]
    value: str | int | None = None


@router.post("/actions", response_model=models.Done)
def act(request: Request, client: Home, watcher: Watched, asked: Action) -> Response:
    """Do it for each run for which it can be done; for each other one say why not."""
    _check_value(asked)
    done: list[str] = []
    refused: list[dict[str, str]] = []
    action = _ACTIONS[asked.action]
    for run_id in _in_order(asked):
        try:
            client.index.require(run_id)
            action(client, run_id, asked.value)
            done.append(run_id)
        except RunyardError as problem:
            refused.append({"id": run_id, "why": str(problem)})
    watcher.note(done)
    request.state.detail, request.state.subject = asked.action, ", ".join(done) or "nothing"
    return answer({"done": done, "refused": refused})


@router.post("/projects/{name}/pause", response_model=models.Paused)
def pause(client: Home, watcher: Watched, name: Annotated[str, Path(max_length=200)]) -> Response:
    """Start no more runs of a project; what runs goes on."""
    _require_project(client, name)
    client.queue.pause(name, by=client.by, now=time.time())
    watcher.note()
    return answer({"project": name, "is_paused": True})


@router.post("/projects/{name}/resume", response_model=models.Paused)
def resume(client: Home, watcher: Watched, name: Annotated[str, Path(max_length=200)]) -> Response:
    """Start runs of the project again."""
    _require_project(client, name)
    client.queue.resume(name)
    watcher.note()
    return answer({"project": name, "is_paused": False})


def _require_project(client: Client, name: str) -> None:
    if not client.index.find(None, project=name, limit=1):
        raise NotFound(f"There is no project '{name[:80]}' with runs here.")


def _check_value(asked: Action) -> None:
    value = asked.value
    if asked.action == "priority" and not (isinstance(value, int) and abs(value) <= _HIGHEST_PRIORITY):
        raise UsageError(f"A priority is a whole number from -{_HIGHEST_PRIORITY:,} to {_HIGHEST_PRIORITY:,}.")
    if asked.action == "before" and not isinstance(value, str):
        raise UsageError("'before' needs the id of a run as its value.")
    if asked.action in ("stop", "hold") and not (value is None or (isinstance(value, str) and len(value) <= 2000)):
        raise UsageError(f"The value of '{asked.action}' is a reason, of at most 2,000 characters.")


def _in_order(asked: Action) -> Sequence[str]:
    """Several runs that go to the top keep their order among each other."""
    ids = list(dict.fromkeys(asked.runs))
    return ids[::-1] if asked.action == "top" else ids


def _hold(client: Client, run_id: str, why: Any) -> None:
    _require_waiting(client, run_id, RunState.QUEUED)
    client.hold([run_id], why=why or "")


def _release(client: Client, run_id: str, _value: Any) -> None:
    _require_waiting(client, run_id, RunState.HELD)
    client.release([run_id])


def _prioritise(client: Client, run_id: str, value: Any) -> None:
    _require_waiting(client, run_id, RunState.QUEUED, RunState.HELD)
    client.set_priority(run_id, value)


def _move_before(client: Client, run_id: str, other: Any) -> None:
    client.index.require(other)
    client.place(client.queue.move_before(run_id, other))


def _require_waiting(client: Client, run_id: str, *states: RunState) -> None:
    row = client.index.get(run_id)
    if row.state not in states:
        raise ConflictError(f"Run {run_id} ({row.name}) is {row.state}, and not {' or '.join(states)}.")


_ACTIONS: dict[str, _ByRun] = {
    "stop": lambda client, run_id, why: client.request_stop(run_id, why=why or ""),
    "retry": lambda client, run_id, _: client.retry(run_id),
    "hold": _hold,
    "release": _release,
    "trash": lambda client, run_id, _: client.trash([run_id]),
    "restore": lambda client, run_id, _: client.restore([run_id]),
    "restore_checkpoints": lambda client, run_id, _: checkpoints.restore(client, [run_id]),
    "priority": _prioritise,
    "top": lambda client, run_id, _: client.place(client.queue.to_top(run_id)),
    "bottom": lambda client, run_id, _: client.place(client.queue.to_bottom(run_id)),
    "before": _move_before,
}
