"""What the API answers with, for its OpenAPI document. Times are ISO 8601, UTC; a number that is NaN is null."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """A document that has exactly these keys."""

    model_config = ConfigDict(extra="forbid")


class Problem(Answer):
    """What went wrong, in a sentence. For a query also where: offset and length in characters."""

    error: str
    position: int | None = None
    length: int | None = None


class Goal(Answer):
    key: str
    goal: str  # max | min


class ProjectDocument(Answer):
    name: str
    runs: int
    running: int
    waiting: int
    failed: int
    last_at: datetime
    metrics: list[Goal]


class Projects(Answer):
    projects: list[ProjectDocument]


class Metric(Answer):
    """A metric in a few numbers; the steps are those at which the value was first reached."""

    last: float | None
    last_step: int
    min: float | None
    min_step: int | None
    max: float | None
    max_step: int | None
    count: int


class Progress(Answer):
    done: float
    total: float
    label: str
    at: datetime
    remaining_s: float | None


class Code(Answer):
    commit: str | None
    branch: str | None
    is_dirty: bool
    snapshot: str | None
    code_id: str | None


class Run(Answer):
    id: str
    project: str
    name: str
    experiment: str | None
    grid: str | None
    kind: str
    state: str
    reason: str
    attempt: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    duration_s: float | None
    progress: Progress | None
    user: str
    host: str
    devices: list[str]
    device_names: list[str]
    tags: list[str]
    note: str
    seed: int | None
    data: str | None
    config: dict[str, Any]
    changed: dict[str, Any]
    config_id: str
    group: str
    fingerprint: str
    code: Code
    warnings: list[str]
    is_trashed: bool
    summary: dict[str, Metric]


class Runs(Answer):
    total: int
    offset: int
    runs: list[Run]


class ConfigColumn(Answer):
    """`distinct` counts the different values; lacking the key counts as one. `values`: the most frequent ones."""

    key: str
    distinct: int
    values: list[Any]


class MetricColumn(Answer):
    key: str
    count: int


class Columns(Answer):
    config: list[ConfigColumn]
    metrics: list[MetricColumn]
    tags: list[str]


class Spread(Answer):
    """`std` is the sample's (n - 1), null for a single run."""

    mean: float
    std: float | None
    n: int
    min: float
    max: float


class Group(Answer):
    id: str
    label: str
    n: int
    run_ids: list[str]
    config: dict[str, Any]
    metrics: dict[str, Spread]
    states: dict[str, int]


class Groups(Answer):
    total: int
    groups: list[Group]


class MetricKeys(Answer):
    keys: list[str]
