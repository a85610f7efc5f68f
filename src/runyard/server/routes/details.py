"""Everything about one run, and what people change of it."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import Connection, select
from starlette.responses import Response

from runyard.client import Client
from runyard.database.schema import artifacts, media
from runyard.errors import NotFound, UsageError
from runyard.index.merge import OWN_LABELS
from runyard.index.rows import from_ns
from runyard.index.states import StreamState
from runyard.index.writing import load_states
from runyard.journal import EDITS, HOST
from runyard.server import models
from runyard.server.answers import answer
from runyard.server.asking import Body, Home, Watched
from runyard.server.routes.runs import run_document

router = APIRouter(tags=["runs"])

_Tag = Annotated[str, Field(min_length=1, max_length=200)]
_Name = Annotated[str, Field(min_length=1, max_length=2000)]
_States = dict[tuple[int, str], StreamState]


class Change(Body):
    """What is absent stays as it is."""

    name: _Name | None = None
    note: Annotated[str, Field(max_length=200_000)] | None = None
    add_tags: Annotated[list[_Tag], Field(max_length=100, default_factory=list)]
    remove_tags: Annotated[list[_Tag], Field(max_length=100, default_factory=list)]


@router.get("/runs/{run_id}", response_model=models.RunDetails)
def run(client: Home, run_id: str) -> Response:
    """A run with its whole config, all metrics, attempts, environment, files and the keys of its media."""
    return answer(_details(client, run_id))


@router.patch("/runs/{run_id}", response_model=models.RunDetails)
def change(client: Home, watcher: Watched, run_id: str, changed: Change) -> Response:
    """Rename a run, write its note, add and remove tags."""
    client.index.get(run_id)
    clash = set(changed.add_tags) & set(changed.remove_tags)
    if clash:
        raise UsageError(f"The tag '{min(clash)}' cannot be added and removed at once.")
    if changed.name is not None:
        client.rename(run_id, changed.name)
    if changed.note is not None:
        client.note(run_id, changed.note)
    if changed.add_tags or changed.remove_tags:
        client.tag(run_id, add=changed.add_tags, remove=changed.remove_tags)
    watcher.note([run_id])
    return answer(_details(client, run_id))


def _details(client: Client, run_id: str) -> dict[str, Any]:
    row = client.index.get(run_id)
    with client.database.read() as tx:
        states: _States = load_states(tx, run_id)
        attempts = _attempts(states)
        keys = _media_keys(tx, run_id)
        files = artifact_documents(tx, run_id)
    failed = [(number, state.failed) for (number, _), state in sorted(states.items()) if state.failed]
    environments = [(number, s.environment) for (number, _), s in sorted(states.items()) if s.environment]
    return run_document(row) | {
        "labels": {name: text for name, text in row.labels.items() if not name.startswith(OWN_LABELS)},
        "attempts": attempts,
        "traceback": failed[-1][1].traceback if failed and failed[-1][0] == row.attempt else "",
        "environment": environments[-1][1] if environments else None,
        "spec": _spec(client, run_id),
        "artifacts": files,
        "media": keys,
        "priority": row.priority,
        "last_seen_at": row.last_seen_at,
    }


def _spec(client: Client, run_id: str) -> dict[str, Any] | None:
    try:
        spec = client.spec(run_id)
    except NotFound:  # its folder was taken away while the index still knows it
        return None
    return {
        "command": list(spec.command),
        "project_dir": spec.project_dir,
        "entry": spec.entry,
        "is_queued": spec.is_queued,
        "retries": spec.retries,
        "resources": {name: getattr(spec.resources, name) for name in spec.resources.__struct_fields__},
        "code_diff": spec.code.diff,
    }


def _attempts(states: _States) -> list[dict[str, Any]]:
    """Every try, the oldest first; how it ended is told by its supervisor, else by whoever found it dead."""
    reaped = states.get((0, EDITS), StreamState()).reaped
    found = []
    for number in sorted({attempt for attempt, _ in states if attempt}):
        host = states.get((number, HOST), StreamState())
        started, ended = host.started, host.ended or reaped.get(number)
        failed = next((s.failed for (n, _), s in sorted(states.items()) if n == number and s.failed), None)
        found.append(
            {
                "number": number,
                "state": ended.state if ended else None,
                "reason": (ended.reason if ended else "") or (f"{failed.type}: {failed.message}" if failed else ""),
                "host": started.host if started else "",
                "user": started.user if started else "",
                "devices": list(started.devices) if started else [],
                "device_names": list(started.device_names) if started else [],
                "started_at": from_ns(started.time_ns) if started else None,
                "ended_at": from_ns(ended.time_ns) if ended else None,
                "exit_code": ended.exit_code if ended else None,
                "traceback": failed.traceback if failed else "",
            }
        )
    return found


def _media_keys(tx: Connection, run_id: str) -> list[dict[str, str]]:
    found = select(media.c.key, media.c.kind).where(media.c.run_id == run_id).distinct()
    return [{"key": row.key, "kind": row.kind} for row in tx.execute(found.order_by(media.c.key, media.c.kind))]


def artifact_documents(tx: Connection, run_id: str) -> list[dict[str, Any]]:
    """The stored files of a run, by name."""
    columns = ("name", "kind", "size_bytes", "sha256", "attempt", "time_ns")
    found = select(*(artifacts.c[name] for name in columns)).where(artifacts.c.run_id == run_id)
    rows = tx.execute(found.order_by(artifacts.c.name, artifacts.c.attempt)).mappings()
    return [{name: row[name] for name in columns[:-1]} | {"at": from_ns(row["time_ns"])} for row in rows]
