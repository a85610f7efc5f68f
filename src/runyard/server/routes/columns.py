"""Columns: which settings and metrics the runs of a filter have, for the table and for completion."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from runyard.client import Client
from runyard.server import models, settings
from runyard.server.answers import answer
from runyard.server.asking import Home, Project, QueryText, Remembered
from runyard.server.routes.projects import declared_metrics

router = APIRouter(tags=["runs"])

_MOST_METRICS = 500


@router.get("/columns", response_model=models.Columns)
def columns(
    client: Home, memory: Remembered, project: Project = None, query: QueryText = None, whole: bool = False
) -> Response:
    """Config keys (those that differ first), metrics and tags of the newest 5,000 runs of the filter.

    Of more than 500 metrics those are named that the project is judged by, and some of every section, unless the
    `whole` list is asked for.
    """
    return answer(memory.recall(("columns", project, query, whole), lambda: _columns(client, project, query, whole)))


def _columns(client: Client, project: str | None, query: str | None, whole: bool) -> dict[str, Any]:
    with client.database.read() as tx:
        condition = client.index.condition(tx, query, project=project)
        keys = settings.differing_first(tx, condition)
        metrics = settings.metrics(tx, condition)
        tags = settings.tags(tx, condition)
    few = metrics
    if not whole and len(metrics) > _MOST_METRICS:
        judged_by = {each["key"] for each in declared_metrics(client, project)} if project else set()
        few = settings.few_of_each(metrics, _MOST_METRICS, wanted=judged_by)
    return {
        "config": [{"key": each.key, "distinct": each.distinct, "values": each.values} for each in keys],
        "metrics": [{"key": key, "count": count} for key, count in few],
        "metrics_total": len(metrics),
        "tags": tags,
    }
