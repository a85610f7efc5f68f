"""Grids: the points that are missing, made from the runs beside them."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field, JsonValue
from starlette.responses import Response

from runyard.client import growing
from runyard.server import models
from runyard.server.answers import answer
from runyard.server.asking import Body, Home, Watched

router = APIRouter(tags=["grids"])

_Point = Annotated[dict[str, JsonValue], Field(min_length=1, max_length=8)]


class Points(Body):
    """`query` is the filter whose runs make up the grid; with `is_dry` nothing is queued."""

    project: Annotated[str, Field(max_length=200)]
    query: Annotated[str | None, Field(max_length=20_000)] = None
    points: Annotated[list[_Point], Field(min_length=1, max_length=growing.MOST_POINTS)]
    is_dry: bool = False


@router.post("/grids/points", response_model=models.Growth)
def fill(client: Home, watcher: Watched, asked: Points) -> Response:
    """Queue the runs that points of a grid lack: new ones, and those that failed once more.

    A point is written as its neighbours in the same row and column are, with their seeds, code, data and resources.
    What identifies it is what `run.py train` gives, so that a grid that grows there later finds it done.
    """
    growth = growing.plan_points(client, asked.project, asked.query, asked.points)
    ids = [] if asked.is_dry else growing.grow(client, growth)
    if ids:
        watcher.note(ids)
    return answer(
        {
            "new": len(growth.specs),
            "retried": len(growth.retried),
            "present": growth.present,
            "names": [spec.name for spec in growth.specs],
            "runs": ids,
        }
    )
