"""Columns: which settings and metrics the runs of a filter have, for the table and for completion."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from runyard.client import Client
from runyard.server import models, settings
from runyard.server.answers import answer
from runyard.server.asking import Home, Project, QueryText, Remembered

router = APIRouter(tags=["runs"])


@router.get("/columns", response_model=models.Columns)
def columns(client: Home, memory: Remembered, project: Project = None, query: QueryText = None) -> Response:
    """Config keys (those that differ first), metrics and tags of the newest 5,000 runs of the filter."""
    return answer(memory.recall(("columns", project, query), lambda: _columns(client, project, query)))


def _columns(client: Client, project: str | None, query: str | None) -> dict[str, Any]:
    with client.database.read() as tx:
        condition = client.index.condition(tx, query, project=project)
        keys = settings.differing_first(tx, condition)
        metrics = settings.metrics(tx, condition)
        tags = settings.tags(tx, condition)
    return {
        "config": [{"key": each.key, "distinct": each.distinct, "values": each.values} for each in keys],
        "metrics": [{"key": key, "count": count} for key, count in metrics],
        "tags": tags,
    }
