"""Comparing runs: only what differs."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from runyard.client import Client, differences
from runyard.client.runs import TrackedRun
from runyard.errors import UsageError
from runyard.server import models
from runyard.server.answers import answer
from runyard.server.asking import Home, RunIds, run_ids

router = APIRouter(tags=["runs"])

Section = Literal["config", "metrics", "data", "code", "packages", "environment", "output"]
_MOST_COMPARED = 50
_VALUES: dict[str, Callable[[Sequence[TrackedRun]], differences.Values]] = {
    "config": differences.config,
    "metrics": differences.metrics,
    "data": differences.data,
    "packages": differences.packages,
    "environment": differences.environment,
}


@router.get("/diff", response_model=models.Diff)
def diff(client: Home, runs: RunIds, section: Annotated[Section, Query()] = "config") -> Response:
    """What differs between runs, the first one being the base.

    config, metrics, data, packages, environment: rows of `key` and one value a run (null: the run lacks it). code: rows
    of `run`, `path`, `change` (added, removed, changed, unknown) and `diff`, unified, against the base. output: rows
    of `run` and `diff`.
    """
    ids = run_ids(runs)
    if not 2 <= len(ids) <= _MOST_COMPARED:
        raise UsageError(f"A comparison takes 2 to {_MOST_COMPARED} runs, not {len(ids)}.")
    compared = [TrackedRun(client, client.index.get(run_id)) for run_id in ids]
    return answer({"runs": ids, "section": section, "rows": _rows(client, compared, section)})


def _rows(client: Client, runs: Sequence[TrackedRun], section: Section) -> list[dict[str, Any]]:
    if section in _VALUES:
        found = _VALUES[section](runs)
        return [{"key": key, "values": [by_run.get(run.id) for run in runs]} for key, by_run in found.items()]
    if section == "output":
        return [{"run": run_id, "diff": "\n".join(lines)} for run_id, lines in differences.output(runs).items()]
    rows: list[dict[str, Any]] = []
    for change in differences.code(client, runs):
        if change.problem:
            rows.append({"run": change.run_id, "path": "", "change": "unknown", "diff": change.problem})
        for file in change.files:
            rows.append({"run": change.run_id, "path": file.path, "change": file.kind, "diff": "\n".join(file.diff)})
    return rows
