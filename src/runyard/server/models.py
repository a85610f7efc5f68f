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


class LastRun(Answer):
    id: str
    name: str
    state: str


class TemplateDocument(Answer):
    """Which version of its template a project has, the newest, and how many lie between; null: unknown."""

    version: str
    latest: str | None
    behind: int | None


class Pipeline(Answer):
    """How the latest pipeline went when `runyard projects --ci` asked."""

    state: str
    at: datetime


class ProjectDocument(Answer):
    name: str
    runs: int
    running: int
    waiting: int
    failed: int
    last_at: datetime
    metrics: list[Goal]
    last_run: LastRun | None
    template: TemplateDocument | None
    ci: Pipeline | None


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
    parent: str | None
    source: str
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
    total: int | None
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
    """`metrics_total`: how many there are, also where not all of them are listed."""

    config: list[ConfigColumn]
    metrics: list[MetricColumn]
    metrics_total: int
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


class Attempt(Answer):
    """`state` is null as long as it has not ended."""

    number: int
    state: str | None
    reason: str
    host: str
    user: str
    devices: list[str]
    device_names: list[str]
    started_at: datetime | None
    ended_at: datetime | None
    exit_code: int | None
    traceback: str


class Environment(BaseModel):
    """What an attempt ran in, as its supervisor found it. What it did not find is absent."""

    model_config = ConfigDict(extra="allow")


class Resources(Answer):
    gpus: int | None
    gpu_memory_bytes: int | None
    cpus: float | None
    memory_bytes: int | None
    time_limit_s: float | None


class Spec(Answer):
    """What was asked for, beside the config."""

    command: list[str]
    project_dir: str
    entry: str
    is_queued: bool
    retries: int
    resources: Resources
    code_diff: str | None  # SHA-256 of the artifact that holds `git diff HEAD`


class Artifact(Answer):
    name: str
    kind: str
    size_bytes: int
    sha256: str
    attempt: int
    at: datetime


class Artifacts(Answer):
    artifacts: list[Artifact]


class MediaKey(Answer):
    key: str
    kind: str


class RunDetails(Run):
    labels: dict[str, str]
    attempts: list[Attempt]
    traceback: str
    environment: Environment | None
    spec: Spec | None
    artifacts: list[Artifact]
    media: list[MediaKey]
    priority: int
    last_seen_at: datetime | None


class Medium(Answer):
    """Where an image, a table or a figure lies: its bytes are at /runs/{run}/media/{attempt}/{stream}/{offset}."""

    run: str
    key: str
    step: int
    kind: str
    mime: str
    attempt: int
    stream: str
    offset: int


class MediaList(Answer):
    media: list[Medium]


class Output(Answer):
    attempt: int
    text: str
    next_offset: int
    is_ended: bool
    dropped_bytes: int


class DiffRow(Answer):
    key: str = ""
    values: list[Any] = []
    run: str = ""
    path: str = ""
    change: str = ""
    diff: str = ""


class Diff(Answer):
    runs: list[str]
    section: str
    rows: list[DiffRow]


class Refusal(Answer):
    id: str
    why: str


class Done(Answer):
    done: list[str]
    refused: list[Refusal]


class Growth(Answer):
    """What points of a grid take: new runs, old ones tried again, and what is there already. `runs`: those queued."""

    new: int
    retried: int
    present: int
    names: list[str]
    runs: list[str]


class Paused(Answer):
    project: str
    is_paused: bool


class QueueRow(Answer):
    """`place` counts waiting runs from 1; `reason` says why it waits; `eta_s` counts from now to its end."""

    id: str
    name: str
    project: str
    grid: str | None
    user: str
    state: str
    place: int | None
    priority: int
    attempt: int
    reason: str
    since: datetime
    eta_s: float | None


class Counts(Answer):
    waiting: int
    held: int
    leased: int
    paused: int


class Queue(Answer):
    paused: dict[str, str]  # project -> who paused it
    rows: list[QueueRow]
    counts: Counts
    eta_s: float | None


class Process(Answer):
    """`user` is empty where it cannot be seen from here."""

    pid: int
    name: str
    user: str
    memory_bytes: int | None


class Reservation(Answer):
    """The queue starts nothing on a slot until then; a run that is on it goes on."""

    user: str
    since: datetime
    until: datetime
    why: str


class Slot(Answer):
    """`state`: running (a run of this home), busy (somebody else's), reserved (and idle), free, sick.

    `progress` is a share, 0 to 1. `used_by`: processes that use a GPU outside Runyard.
    """

    name: str
    label: str
    kind: str
    device: str | None
    state: str
    run_id: str | None
    run_name: str | None
    user: str | None
    progress: float | None
    eta_s: float | None
    reason: str | None
    reservation: Reservation | None
    used_by: list[Process]
    util_percent: float | None
    memory_used_bytes: int | None
    memory_total_bytes: int | None
    temperature_c: float | None
    power_w: float | None


class Machine(Answer):
    """What nobody has told is null."""

    host: str
    cpu_percent: float | None
    memory_used_bytes: int | None
    memory_total_bytes: int | None
    disk_free_bytes: int | None
    slots: list[Slot]


class Machines(Answer):
    machines: list[Machine]


class Failure(Answer):
    fingerprint: str
    state: str
    reason: str
    count: int
    runs: list[str]


class Best(Answer):
    """The best run of a grid since then; `previous` is the best that the same experiment had before."""

    project: str
    grid: str | None
    experiment: str | None
    metric: str
    goal: str
    run: str
    run_name: str
    value: float
    previous: float | None


class Morning(Answer):
    since: datetime
    ended: dict[str, int]
    failures: list[Failure]
    best: list[Best]
    waiting: int
    running: int
    eta_s: float | None
    disk_free_bytes: int


class ProjectSize(Answer):
    name: str
    size_bytes: int


class RunSize(Answer):
    id: str
    name: str
    project: str
    size_bytes: int


class Disk(Answer):
    total_bytes: int
    projects: list[ProjectSize]
    kinds: dict[str, int]  # journals, checkpoints, artifacts, code
    runs: list[RunSize]
    trash_bytes: int


class TrashedRun(Run):
    size_bytes: int


class Checkpoints(Answer):
    """Checkpoints that were taken from a run, in the trash."""

    id: str
    size_bytes: int


class Trash(Answer):
    total: int
    runs: list[TrashedRun]
    checkpoints: list[Checkpoints]


class Cleaning(Answer):
    """What a rule takes: `runs` are the 50 largest, `ids` all; `kept` counts runs that it spares, by reason.

    `plan` names exactly these, to be given back by whoever confirms it.
    """

    rule: str
    plan: str
    count: int
    size_bytes: int
    runs: list[RunSize]
    ids: list[str]
    kept: dict[str, int]


class Cleaned(Answer):
    """`freed_bytes` is free at once; what went into the trash is not counted."""

    count: int
    size_bytes: int
    freed_bytes: int
    ids: list[str]


class Freed(Answer):
    runs: int
    size_bytes: int


class Views(Answer):
    views: dict[str, Any]


class View(Answer):
    name: str
    view: dict[str, Any]


class Uploaded(Answer):
    """How much of a file has come in parts; the next one begins at byte `offset`."""

    offset: int
    is_stored: bool


class Session(Answer):
    """`has_accounts`: whether anybody has to log in here. `user`, `role`: who asks, if that is known.

    `token_id`: of the token that was shown. `projects`: what it is restricted to; null: nothing.
    """

    has_accounts: bool
    user: str | None
    role: str | None
    token_id: str | None
    projects: list[str] | None


class Token(Answer):
    id: str
    user: str
    label: str
    role: str
    projects: list[str] | None
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    revoked_at: datetime | None


class NewToken(Token):
    """`token` is told this once."""

    token: str


class Tokens(Answer):
    tokens: list[Token]


class Link(Answer):
    """`kind`: first, invitation or reset. `user`: whose password is chosen; null: the name is chosen, too."""

    kind: str
    user: str | None


class User(Answer):
    name: str
    role: str
    is_disabled: bool
    has_password: bool
    created_at: datetime
    seen_at: datetime | None


class Users(Answer):
    users: list[User]


class Invited(User):
    """`link` is the key of a link, told this once: it goes behind `/#/welcome/`."""

    link: str


class NewLink(Answer):
    """`link` is the key of a link, told this once: it goes behind `/#/welcome/`."""

    user: str
    link: str


class PrivateProject(Answer):
    project: str
    members: list[str]


class PrivateProjects(Answer):
    projects: list[PrivateProject]


class AuditEntry(Answer):
    id: int
    at: datetime
    who: str
    what: str
    subject: str
    detail: str


class AuditTrail(Answer):
    total: int
    entries: list[AuditEntry]


class Health(Answer):
    status: str  # ok
    version: str
