"""Runs: the pages of the table, and everything about one."""

from collections.abc import Collection
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from runyard.client import Client, documents
from runyard.index import RunRow
from runyard.server import models
from runyard.server.answers import answer
from runyard.server.asking import Home, Keys, Limit, Offset, Project, QueryText, Remembered, Sort, listed
from runyard.server.remembering import Memory

router = APIRouter(tags=["runs"])


@router.get("/runs", response_model=models.Runs)
def runs(
    client: Home,
    memory: Remembered,
    project: Project = None,
    query: QueryText = None,
    sort: Sort = "-created_at",
    offset: Offset = 0,
    limit: Limit = 50,
    metrics: Keys = None,
    config: Keys = None,
    count: Annotated[bool, Query(description="false: `total` is null if it is not known yet.")] = True,
) -> Response:
    """A page of runs. `metrics` and `config` restrict each run to the keys that will be shown."""
    rows = client.index.find(query, project=project, sort=sort, limit=limit, offset=offset)
    total = _total(client, memory, project, query) if count else memory.peek(("total", project, query))
    shown, settings = listed(metrics), listed(config)
    return answer({"total": total, "offset": offset, "runs": [run_document(row, shown, settings) for row in rows]})


def _total(client: Client, memory: Memory, project: str | None, query: str | None) -> int:
    return memory.recall(("total", project, query), lambda: client.index.count(query, project=project))


def run_document(
    row: RunRow, metrics: Collection[str] | None = None, settings: Collection[str] | None = None
) -> dict[str, Any]:
    """A run, with all metrics and settings or only some."""
    document = documents.head(row)
    if settings is not None:
        document["config"] = _only(row.config, settings)
    summary = row.summary
    document["summary"] = summary if metrics is None else {key: summary[key] for key in metrics if key in summary}
    return document


def _only(config: dict[str, Any], keys: Collection[str]) -> dict[str, Any]:
    """The settings with these dotted keys, in their sections."""
    kept: dict[str, Any] = {}
    for key in keys:
        *sections, name = key.split(".")
        source: Any = config
        for section in sections:
            source = source.get(section) if isinstance(source, dict) else None
        if isinstance(source, dict) and name in source:
            target = kept
            for section in sections:
                target = target.setdefault(section, {})
            target[name] = source[name]
    return kept
