"""The disk: what takes the room, and the trash, which gives it back."""

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field
from sqlalchemy import select
from starlette.responses import Response

from runyard.client import Client, checkpoints, cleaning, trash
from runyard.client.cleaning import Rule
from runyard.client.trash import folder_size
from runyard.database.schema import runs
from runyard.server import models
from runyard.server.answers import answer
from runyard.server.asking import LARGEST_INTEGER, Body, Home, Limit, Offset, Project, Watched
from runyard.server.routes.projects import declared_metrics
from runyard.server.routes.runs import run_document

router = APIRouter(tags=["disk"])

_KEPT_S = 30.0
_LARGEST = 50
Days = Annotated[float, Query(ge=0, le=cleaning.LONGEST_DAYS, description="Only of runs that ended so long ago.")]

Keep = Annotated[float | None, Query(ge=0, le=LARGEST_INTEGER, description="The size that each project keeps.")]


class Measured:
    """Sizes of the folders of a home; measuring takes a walk through all of it, so it is remembered for a while."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._at = float("-inf")
        self._runs: dict[str, tuple[int, int]] = {}
        self._others: dict[str, int] = {}

    def look(self) -> tuple[dict[str, tuple[int, int]], dict[str, int]]:
        """Journals and checkpoints of each run, in bytes; and of all artifacts, code and trash."""
        with self._lock:
            if time.monotonic() - self._at > _KEPT_S:
                home = self._client.home
                self._runs = {folder.id: _sizes(folder.path, folder.checkpoints) for folder in home.run_folders()}
                folders = {"artifacts": home.artifacts, "code": home.code, "trash": home.trash}
                self._others = {name: folder_size(path) for name, path in folders.items()}
                self._at = time.monotonic()
            return self._runs, self._others

    def forget(self) -> None:
        """Something was deleted."""
        with self._lock:
            self._at = float("-inf")


async def _measured(request: Request) -> Measured:
    measured: Measured = request.app.state.measured
    return measured


Sizes = Annotated[Measured, Depends(_measured)]


@router.get("/disk", response_model=models.Disk)
def disk(client: Home, measured: Sizes, project: Project = None) -> Response:
    """Bytes on the disk by project, kind and run (the 50 largest). Artifacts and code belong to all runs together."""
    sizes, others = measured.look()
    with client.database.read() as tx:
        asked = select(runs.c.id, runs.c.name, runs.c.project).where(client.index.scope.condition())
        known = {row.id: (row.name, row.project) for row in tx.execute(asked)}
    if not client.index.scope.is_everything:
        sizes = {run_id: size for run_id, size in sizes.items() if run_id in known}
    by_project: dict[str, int] = {}
    for run_id, size in sizes.items():
        name = known.get(run_id, ("", ""))[1]
        by_project[name] = by_project.get(name, 0) + sum(size)
    ours = {run_id: size for run_id, size in sizes.items() if project in (None, known.get(run_id, ("", ""))[1])}
    kinds = {"journals": sum(s[0] for s in ours.values()), "checkpoints": sum(s[1] for s in ours.values())}
    kinds |= {name: others[name] for name in ("artifacts", "code")}
    return answer(
        {
            "total_bytes": sum(sum(size) for size in sizes.values()) + sum(others.values()),
            "projects": _largest(by_project, "name"),
            "kinds": kinds,
            "runs": _named(ours, known),
            "trash_bytes": others["trash"],
        }
    )


@router.get("/disk/cleaning", response_model=models.Cleaning)
def preview(
    client: Home, rule: Rule, older_than_days: Days = 30.0, project: Project = None, keep_bytes: Keep = None
) -> Response:
    """What a rule would take, with its bytes; changes nothing.

    `checkpoints`: of runs that ended so long ago, are not the best of their grid and have no tag. `failed`: runs that
    ended so long ago without completing and have no tag. `trash`: all of the trash, whatever its age. With `keep_bytes`
    checkpoints go, the oldest first, until a project has no more; so do, by `files`, whole runs with what they stored.
    """
    planned = _planned(client, rule, older_than_days, project, keep_bytes)
    named = [{name: getattr(item, name) for name in item.__struct_fields__} for item in planned.items[:_LARGEST]]
    return answer(
        {
            "rule": rule,
            "plan": planned.id,
            "count": len(planned.items),
            "size_bytes": planned.size_bytes,
            "runs": named,
            "ids": [item.id for item in planned.items],
            "kept": planned.kept,
        }
    )


class Clean(Body):
    """A rule as it was previewed, and the `plan` of that preview."""

    rule: Annotated[Rule, Field(strict=False)]
    older_than_days: Annotated[float, Field(ge=0, le=cleaning.LONGEST_DAYS, strict=False)] = 30.0
    project: Annotated[str | None, Field(max_length=200)] = None
    keep_bytes: Annotated[float | None, Field(ge=0, le=LARGEST_INTEGER, strict=False)] = None
    plan: Annotated[str, Field(max_length=64)]


@router.post("/disk/cleaning", response_model=models.Cleaned)
def clean(client: Home, watcher: Watched, measured: Sizes, asked: Clean) -> Response:
    """Do what was previewed; 409 if the rule would take anything else by now.

    Checkpoints and failed runs go into the trash: the actions `restore_checkpoints` and `restore` bring them back.
    """
    planned = _planned(client, asked.rule, asked.older_than_days, asked.project, asked.keep_bytes)
    freed = cleaning.carry_out(client, planned, expected=asked.plan)
    measured.forget()
    ids = [item.id for item in planned.items]
    watcher.note([] if asked.rule is Rule.TRASH else ids, queue=False)
    return answer({"count": len(ids), "size_bytes": planned.size_bytes, "freed_bytes": freed, "ids": ids})


def _planned(client: Client, rule: Rule, days: float, project: str | None, keep_bytes: float | None) -> cleaning.Plan:
    @cache
    def goals(name: str) -> dict[str, str]:
        return {each["key"]: each["goal"] for each in declared_metrics(client, name)}

    now = datetime.now(UTC)
    return cleaning.plan(
        client, rule, now=now, older_than_days=days, project=project, goals=goals, keep_bytes=keep_bytes
    )


@router.get("/trash", response_model=models.Trash)
def trashed(client: Home, measured: Sizes, offset: Offset = 0, limit: Limit = 200) -> Response:
    """The runs of the trash, the newest first."""
    rows = client.index.find(None, trashed=True, offset=offset, limit=limit)
    found = [run_document(row, []) | {"size_bytes": folder_size(client.home.trash / row.id)} for row in rows]
    kept = [{"id": run, "size_bytes": folder_size(folder)} for run, folder in checkpoints.in_trash(client).items()]
    return answer({"total": client.index.count(None, trashed=True), "runs": found, "checkpoints": kept})


@router.post("/trash/empty", response_model=models.Freed)
def empty(client: Home, watcher: Watched, measured: Sizes) -> Response:
    """Delete the runs of the trash for good, and the files that no other run refers to."""
    freed = trash.empty(client)
    measured.forget()
    watcher.note(queue=False)
    return answer({"runs": freed.runs, "size_bytes": freed.size_bytes})


def _sizes(folder: Path, checkpoints: Path) -> tuple[int, int]:
    kept = folder_size(checkpoints)
    return folder_size(folder) - kept, kept


def _named(sizes: dict[str, tuple[int, int]], known: dict[str, tuple[str, str]]) -> list[dict[str, Any]]:
    totals = {run_id: sum(size) for run_id, size in sizes.items()}
    return [
        each | {"name": known.get(each["id"], ("", ""))[0], "project": known.get(each["id"], ("", ""))[1]}
        for each in _largest(totals, "id")
    ]


def _largest(sizes: dict[str, int], name: str) -> Sequence[dict[str, Any]]:
    order = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))
    return [{name: key, "size_bytes": size} for key, size in order[:_LARGEST]]
