"""The morning page: what happened since somebody last looked."""

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import Connection, Select, and_, func, or_, select
from starlette.responses import Response

from runyard.database.schema import run_metrics, runs
from runyard.errors import UsageError
from runyard.index.rows import from_ns, to_ns
from runyard.records import RunState
from runyard.server import models
from runyard.server.answers import answer
from runyard.server.asking import Home, Project, Slots
from runyard.server.routes.projects import declared_metrics
from runyard.server.routes.queues import estimate

router = APIRouter(tags=["overview"])

_BEFORE = timedelta(hours=16)  # from the evening before to the first coffee
_MOST_FAILURES = 50
_MOST_RUNS = 100
_MOST_ENDED = 1_000_000
_MOST_METRICS = 3
_EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_BAD = [str(state) for state in (RunState.FAILED, RunState.OUT_OF_MEMORY, RunState.TIMED_OUT, RunState.LOST)]

Since = Annotated[datetime | None, Query(description="ISO 8601; 16 hours ago if absent.")]


@router.get("/morning", response_model=models.Morning)
def morning(client: Home, machines: Slots, project: Project = None, since: Since = None) -> Response:
    """What ended, equal failures as one, the best of each grid against the best before, and what still waits."""
    begin_ns = _begin_ns(since)
    scope = client.index.scope
    ours = [
        scope.condition(),
        runs.c.is_trashed.is_(False),
        *([runs.c.project == project] if project is not None else []),
    ]
    # the limit keeps this apart: together with the rest, SQLite would rather go through all runs of a state
    since_then = select(runs.c.id).where(runs.c.ended_ns >= begin_ns).order_by(runs.c.ended_ns).limit(_MOST_ENDED)
    ended = and_(*ours, runs.c.id.in_(since_then))
    with client.database.read() as tx:
        counts = select(runs.c.state, func.count().label("n")).where(ended).group_by(runs.c.state)
        by_state = {row.state: row.n for row in tx.execute(counts)}
        failures = _failures(tx, select(runs).where(ended, runs.c.state.in_(_BAD)))
        grids = _grids(tx, ended)
        goals = {name: declared_metrics(client, name)[:_MOST_METRICS] for name in {grid[0] for grid in grids}}
        best = [found for grid in grids for goal in goals[grid[0]] if (found := _best(tx, grid, goal, begin_ns))]
    rows, paused = [row for row in client.queue.rows(project) if scope.allows(row.project)], client.queue.paused()
    return answer(
        {
            "since": from_ns(begin_ns),
            "ended": by_state,
            "failures": failures,
            "best": best,
            "waiting": sum(row.state != "leased" for row in rows),
            "running": sum(row.state == "leased" for row in rows),
            "eta_s": estimate(client, machines, rows, paused).queue_s if rows else None,
            "disk_free_bytes": shutil.disk_usage(client.home.path).free,
        }
    )


def _begin_ns(since: datetime | None) -> int:
    moment = since or datetime.now(UTC) - _BEFORE
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if not _EARLIEST <= moment <= _LATEST:
        raise UsageError("'since' must be a time between 1970 and 2200.")
    return to_ns(moment.astimezone(UTC))


def _failures(tx: Connection, found: Select[Any]) -> list[dict[str, Any]]:
    """Runs that failed in the same way, as one; the most frequent first."""
    groups: dict[str, dict[str, Any]] = {}
    for row in tx.execute(found.order_by(runs.c.ended_ns.desc(), runs.c.id)):
        key = row.fingerprint or f"{row.state}: {row.reason}"
        group = groups.setdefault(
            key, {"fingerprint": row.fingerprint, "state": row.state, "reason": row.reason, "count": 0, "runs": []}
        )
        group["count"] += 1
        if len(group["runs"]) < _MOST_RUNS:
            group["runs"].append(row.id)
    return sorted(groups.values(), key=lambda group: -group["count"])[:_MOST_FAILURES]


def _grids(tx: Connection, ended: Any) -> Sequence[tuple[str, str | None, str | None]]:
    """Project, grid and experiment of what completed."""
    found = select(runs.c.project, runs.c.grid, runs.c.experiment).where(ended, runs.c.state == "COMPLETED").distinct()
    named = or_(runs.c.grid.is_not(None), runs.c.experiment.is_not(None))
    return [(row.project, row.grid, row.experiment) for row in tx.execute(found.where(named)).all()]


def _best(
    tx: Connection, grid: tuple[str, str | None, str | None], goal: dict[str, str], begin_ns: int
) -> dict[str, Any] | None:
    """The best run of a grid since then, and the best value that the same experiment (else project) had before."""
    project, name, experiment = grid
    value = run_metrics.c.max if goal["goal"] == "max" else run_metrics.c.min
    order = value.desc() if goal["goal"] == "max" else value.asc()
    found = (
        select(runs.c.id, runs.c.name, value.label("value"))
        .join(run_metrics, run_metrics.c.run_id == runs.c.id)
        .where(run_metrics.c.key == goal["key"], value.is_not(None), runs.c.is_trashed.is_(False))
        .where(runs.c.project == project, runs.c.state == "COMPLETED")
        .order_by(order, runs.c.id)
        .limit(1)
    )
    ours = runs.c.grid == name if name is not None else runs.c.experiment == experiment
    now = tx.execute(found.where(ours, runs.c.ended_ns >= begin_ns)).one_or_none()
    if now is None:
        return None
    same = [runs.c.experiment == experiment] if experiment is not None else []
    before = tx.execute(found.where(runs.c.ended_ns < begin_ns, *same)).one_or_none()
    return {
        "project": project,
        "grid": name,
        "experiment": experiment,
        "metric": goal["key"],
        "goal": goal["goal"],
        "run": now.id,
        "run_name": now.name,
        "value": now.value,
        "previous": before.value if before else None,
    }
