"""From planned configs to runs that can be submitted: what all of them share, and what each has alone."""

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec

from runyard.config import PlannedRun
from runyard.config.identity import uncounted_keys
from runyard.hosts import host_name
from runyard.project.project import Project
from runyard.records import CodeState, Resources, RunSpec, new_run_id


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """What all runs of one submission have in common."""

    code: CodeState
    user: str
    is_queued: bool
    experiment: str | None = None
    grid: str | None = None
    tags: tuple[str, ...] = ()
    note: str = ""
    data: str | None = None
    resources: Resources = Resources()
    retries: int | None = None
    priority: int = 0
    command: tuple[str, ...] = ()


class Timed(Protocol):
    """A run that is known, as far as estimates need it."""

    @property
    def duration_s(self) -> float | None: ...


def specs_for(
    project: Project, planned: Sequence[PlannedRun], shared: Shared, *, name: str | None = None
) -> list[RunSpec]:
    """One run for each planned config; `name` replaces the planned name of a single one."""
    now = datetime.now(UTC)
    return [
        RunSpec(
            id=new_run_id(),
            project=project.name,
            name=name if name and len(planned) == 1 else item.name,
            created_at=now + timedelta(microseconds=position),  # so that sorting by time keeps the plan's order
            experiment=shared.experiment,
            grid=shared.grid,
            config=item.config.model_dump(mode="json"),
            config_id=item.config_id,
            group=item.group,
            uncounted=uncounted_keys(item.config),
            changed=dict(item.changed),
            seed=item.seed,
            tags=shared.tags,
            note=shared.note,
            user=shared.user,
            host=host_name(),
            project_dir=str(project.root),
            entry=project.entry,
            data=shared.data,
            data_roots=project.data_roots,
            command=shared.command,
            code=shared.code,
            resources=shared.resources,
            is_queued=shared.is_queued,
            retries=project.retries if shared.retries is None else shared.retries,
            priority=shared.priority,
            grace_s=project.grace_s,
        )
        for position, item in enumerate(planned)
    ]


def estimate(known: Iterable[Timed], *, to_do: int, slots: int) -> str:
    """How long `to_do` runs take on so many slots, from the median of like runs; "" if there are none."""
    durations = sorted(row.duration_s for row in known if row.duration_s)
    if not durations or not to_do:
        return ""
    median = durations[len(durations) // 2]
    rounds = -(-to_do // max(1, slots))
    where = f"{slots} slot{'s' * (slots != 1)}"
    like = f"median {show_duration(median)} over {len(durations)} like run{'s' * (len(durations) != 1)}"
    return f"about {show_duration(median * rounds)} on {where} ({like})"


def show_duration(seconds: float) -> str:
    """A length of time for people: 4.2 s, 3 min 20 s, 5 h 20 min, 2 d 3 h."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def own_command(arguments: Sequence[str]) -> tuple[str, ...]:
    """The command line of this process as the user typed it, for the record."""
    return (os.path.basename(arguments[0]), *arguments[1:])
