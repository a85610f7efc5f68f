"""Groups: the seeds of one setting as one row."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from runyard.server import grouping, models, settings
from runyard.server.answers import answer
from runyard.server.asking import Home, Keys, Limit, Offset, Project, QueryText, Remembered, Sort, listed

router = APIRouter(tags=["runs"])

By = Annotated[str, Query(max_length=2000, description="`all-but-seed`, or config keys with commas.")]


@router.get("/groups", response_model=models.Groups)
def groups(
    client: Home,
    memory: Remembered,
    project: Project = None,
    query: QueryText = None,
    by: By = grouping.ALL_BUT_SEED,
    metrics: Keys = None,
    sort: Sort = "-created_at",
    offset: Offset = 0,
    limit: Limit = 50,
) -> Response:
    """A page of groups. A metric is `val/accuracy` (last values) or `val/accuracy.max`; `sort=n` counts members.

    `config` holds the settings in which the members agree and by which the runs of the filter differ. `run_ids` are at
    most 1,000, `n` counts all.
    """
    with client.database.read() as tx:
        condition = client.index.condition(tx, query, project=project)
        known = memory.recall(("keys", project, query), lambda: settings.differing_first(tx, condition))
        total, found = grouping.page(
            tx, condition, known, by=by, metrics=listed(metrics) or [], sort=sort, offset=offset, limit=limit
        )
    return answer({"total": total, "groups": [_document(each) for each in found]})


def _document(group: grouping.Group) -> dict[str, object]:
    return {
        "id": group.id,
        "label": group.label,
        "n": sum(group.states.values()),
        "run_ids": group.ids,
        "config": group.config,
        "metrics": group.metrics,
        "states": group.states,
    }
