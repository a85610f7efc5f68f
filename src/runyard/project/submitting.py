"""Queueing a plan: what is new is submitted, what is known is left alone. For `run.py train --queue` and in Python."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from runyard.client import Client, open_client
from runyard.client.submission import Sorted, sort_out
from runyard.config import Plan, rehash
from runyard.errors import ConfigError, UsageError
from runyard.hosts import user_name
from runyard.index import RunRow
from runyard.project.code import read_code
from runyard.project.launch import Shared, specs_for
from runyard.project.project import Project, find_project
from runyard.records import Resources, RunId, RunSpec


@dataclass(frozen=True, kw_only=True)
class Submitted:
    """What became of a plan.

    Attributes:
        queued: the ids of the runs that wait now, in the order of the plan; those that are tried again at the end.
        finished: how many runs had been done before.
        active: how many waited or ran already.
        failed: how many had failed and were left alone.
        left_out: one sentence for each file that the snapshot of the code lacks.
    """

    queued: tuple[RunId, ...]
    finished: int
    active: int
    failed: int
    left_out: tuple[str, ...]


def submit(
    plan: Plan,
    *,
    folder: str | Path | None = None,
    experiment: str | None = None,
    tags: Iterable[str] = (),
    note: str = "",
    data: str | Path | None = None,
    gpus: int | None = None,
    time_limit_s: float | None = None,
    priority: int = 0,
    retry_failed: bool = False,
) -> Submitted:
    """Put the runs of a plan into the queue, as `run.py train --queue` does; asked twice, it does nothing twice.

        plan = runyard.expand(DEFAULT, runyard.grid({"optim.lr": [0.1, 0.01]}).repeat(3))
        runyard.submit(plan, tags=["night"])

    Args:
        folder: of the project; else the current folder or one above it.
        experiment: the question that the plan answers; "grid" if left out and there are several runs.
        data: given to the runs in place of what their configs name.
        gpus: for each run; None: one where the machine has any.
        time_limit_s: a run that takes longer is stopped.
        priority: higher ones start first.
        retry_failed: try runs of the plan again that failed or were stopped.

    Raises:
        ProjectNotFound: the folder is no project.
        UsageError: the configs are not of this project, or data are not there; nothing was queued.
    """
    project = find_project(Path(folder) if folder is not None else None)
    declared = project.load_config().default
    if _keys(plan.default.model_dump(mode="json")) != _keys(declared.model_dump(mode="json")):
        raise UsageError(f"The configs of the plan have other keys than DEFAULT in the config of {project.name}.")
    if isinstance(tags, str):
        raise UsageError(f"tags takes a list of tags, not the text {tags!r}. Write tags=[{tags!r}].")
    path = str(Path(data).absolute()) if data else None
    for item in plan:
        project.check_data(item.config.model_dump(), path)
    project.check_contract([item.config for item in plan], path)
    client = open_client()
    try:
        client.refresh()
        code, left_out = read_code(project, client.artifacts)
        shared = Shared(
            code=code,
            user=user_name(),
            is_queued=True,
            experiment=experiment or ("grid" if len(plan) > 1 else None),
            grid=plan.id if len(plan) > 1 else None,
            tags=tuple(tags),
            note=note,
            data=path,
            resources=Resources(gpus=gpus, time_limit_s=time_limit_s),
            priority=priority,
        )
        found = compare(plan, known_runs(client, project, path), code_id=code.code_id, retry=retry_failed)
        specs = queue(client, project, plan, found, shared)
    finally:
        client.close()
    return Submitted(
        queued=(*(spec.id for spec in specs), *(RunId(run_id) for run_id in found.retried.values())),
        finished=len(found.finished),
        active=len(found.waiting),
        failed=len(found.failed),
        left_out=left_out,
    )


def known_runs(client: Client, project: Project, data: str | None) -> list[RunRow]:
    """The runs of a project that worked on the same data."""
    return [row for row in client.index.find(None, project=project.name, limit=None) if row.data == data]


def compare(plan: Plan, known: Sequence[RunRow], *, code_id: str | None, retry: bool) -> Sorted:
    """Which runs of a plan are missing; with `code_id` None the config alone decides what is the same run."""
    return sort_out(list(plan), _as_of_today(known, plan), code_id=code_id, retry=retry)


def queue(
    client: Client, project: Project, plan: Plan, found: Sorted, shared: Shared, *, name: str | None = None
) -> list[RunSpec]:
    """Submit what is missing of a plan and try again what shall be; return the new runs."""
    specs = specs_for(project, [plan[position] for position in found.missing], shared, name=name)
    client.submit(specs)
    for run_id in found.retried.values():
        client.retry(run_id)
    return specs


def _as_of_today(known: Sequence[RunRow], plan: Plan) -> list[RunRow]:
    """Give runs from before the config grew the identity that their config has today."""
    today = type(plan.default)
    keys = _keys(plan.default.model_dump(mode="json"))
    rows = []
    for row in known:
        if row.config and _keys(row.config) != keys:
            try:
                row = msgspec.structs.replace(row, config_id=rehash(row.config, today).config_id)
            except ConfigError:  # a config of long ago that today's class refuses is simply another one
                pass
        rows.append(row)
    return rows


def _keys(config: Any, prefix: str = "") -> frozenset[str]:
    found: set[str] = set()
    for key, value in config.items():
        found |= _keys(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}"}
    return frozenset(found)
