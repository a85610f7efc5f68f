"""Projects: what there is at all."""

from pathlib import Path
from typing import Any

import msgspec
from fastapi import APIRouter
from sqlalchemy import case, func, select
from starlette.responses import Response

from runyard.client import Client
from runyard.database.schema import runs
from runyard.errors import RunyardError, UsageError
from runyard.index.rows import from_ns
from runyard.project.project import load_project
from runyard.project.template.overview import CIState, KnownCI, folder_of, template_of
from runyard.records import RunState
from runyard.server import models
from runyard.server.answers import answer
from runyard.server.asking import Home, Remembered

router = APIRouter(tags=["projects"])

_WAITING = (RunState.QUEUED, RunState.HELD)
_FAILED = (RunState.FAILED, RunState.OUT_OF_MEMORY, RunState.TIMED_OUT, RunState.LOST)


def _count(*states: RunState) -> Any:  # SQLAlchemy's type for a sum has no short name
    return func.sum(case((runs.c.state.in_([str(state) for state in states]), 1), else_=0))


_PROJECTS = (
    select(
        runs.c.project.label("name"),
        func.count().label("runs"),
        _count(RunState.RUNNING).label("running"),
        _count(*_WAITING).label("waiting"),
        _count(*_FAILED).label("failed"),
        func.max(runs.c.created_ns).label("last_ns"),
    )
    .where(runs.c.is_trashed.is_(False))
    .group_by(runs.c.project)
)


@router.get("/projects", response_model=models.Projects)
def projects(client: Home, memory: Remembered) -> Response:
    """All projects, the one with the newest run first, and the metrics that its runyard.toml judges runs by."""
    return answer({"projects": memory.recall("projects", lambda: _projects(client))})


def _projects(client: Client) -> list[dict[str, Any]]:
    with client.database.read() as tx:
        found = [dict(row) for row in tx.execute(_PROJECTS.where(client.index.scope.condition())).mappings()]
    found.sort(key=lambda row: (-row["last_ns"], row["name"]))
    pipelines = KnownCI(client.home).all()
    return [
        {key: row[key] for key in ("name", "runs", "running", "waiting", "failed")}
        | {"last_at": from_ns(row["last_ns"]), "metrics": declared_metrics(client, row["name"])}
        | _state(client, row["name"], pipelines)
        for row in found
    ]


def _state(client: Client, project: str, pipelines: dict[str, CIState]) -> dict[str, Any]:
    """Its last run, its template as its folder says if that is on this machine, and what is known of CI."""
    newest = next(iter(client.index.find(None, project=project, limit=1)), None)
    template = template_of(folder_of(client, newest)) if newest else None
    ci = pipelines.get(project)
    return {
        "last_run": {"id": newest.id, "name": newest.name, "state": str(newest.state)} if newest else None,
        "template": msgspec.structs.asdict(template) if template else None,
        "ci": {"state": ci.state, "at": ci.at} if ci else None,
    }


def declared_metrics(client: Client, project: str) -> list[dict[str, str]]:
    """What a project is judged by, as the folder of its newest run says; nothing if that is gone."""
    newest = client.index.find(None, project=project, limit=1)
    if not newest:
        return []
    try:
        folder = client.spec(newest[0].id).project_dir
        declared = load_project(Path(folder)).metrics if folder else {}
    except (RunyardError, UsageError, OSError, ValueError):  # moved, deleted, or of another machine
        return []
    return [{"key": key, "goal": str(goal)} for key, goal in declared.items()]
