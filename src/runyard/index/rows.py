"""What the index answers with."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from runyard.records import CodeState, RunId, RunState

NOT_STARTED = "has not started yet"  # the reason of a run that the process that made it is to execute

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class MetricSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One metric in a few numbers, over all points that count (a later attempt replaces what it does again).

    NaN is left out of `min` and `max`, which are None when there is nothing else; `last` may be NaN.
    The steps are those at which the value was first reached.
    """

    last: float
    last_step: int
    min: float | None
    min_step: int | None
    max: float | None
    max_step: int | None
    count: int


class ProgressRow(msgspec.Struct, frozen=True, kw_only=True):
    """How far the latest attempt is. First and last report give its speed, and so the time that remains."""

    done: float
    total: float
    label: str
    first_done: float
    first_at: datetime
    last_at: datetime

    @property
    def remaining_s(self) -> float | None:
        """Seconds from `last_at` to the end at the speed so far; None as long as nothing can be said."""
        elapsed_s = (self.last_at - self.first_at).total_seconds()
        gained = self.done - self.first_done
        if gained <= 0 or elapsed_s <= 0:
            return None
        return max(self.total - self.done, 0.0) * elapsed_s / gained


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """A run as its folder tells it. Times are aware, UTC. Nothing here depends on the time of asking."""

    id: RunId
    project: str
    name: str
    experiment: str | None
    grid: str | None
    kind: str
    state: RunState
    reason: str
    attempt: int  # the latest; 0: none has started
    created_at: datetime
    started_at: datetime | None  # of the first attempt
    attempt_started_at: datetime | None  # of the latest attempt
    ended_at: datetime | None  # None unless the state is an end
    last_seen_at: datetime | None  # the latest time in any journal of an attempt
    duration_s: float | None  # of all ended attempts together
    user: str
    host: str  # of the latest attempt
    devices: tuple[str, ...]
    device_names: tuple[str, ...]
    tags: tuple[str, ...]  # sorted
    note: str
    seed: int | None
    config: dict[str, Any]
    config_id: str
    group: str
    changed: dict[str, Any]
    labels: dict[str, str]  # what other systems call tags: names with a text each, sorted
    parent: str | None  # id of the run that started it
    source: str  # where another system keeps it; empty: it is ours
    summary: dict[str, MetricSummary]  # sorted by key
    progress: ProgressRow | None
    warnings: tuple[str, ...]
    fingerprint: str  # of the failure of the latest attempt
    priority: int
    position: float | None
    trashed: bool
    data: str | None
    code: CodeState


class MediaRow(msgspec.Struct, frozen=True, kw_only=True):
    """Where an image, table or figure lies: `size` bytes at `offset` of the stream's journal are its whole record."""

    run_id: RunId
    attempt: int
    stream: str
    offset: int
    size: int
    key: str
    step: int
    kind: str
    mime: str
    at: datetime


class ArtifactRow(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a run in the artifact store."""

    run_id: RunId
    attempt: int
    name: str
    sha256: str
    size_bytes: int
    kind: str
    meta: dict[str, Any]
    at: datetime


def artifact_row(row: Mapping[Any, Any]) -> ArtifactRow:
    """A row of the table `artifacts`."""
    return ArtifactRow(
        run_id=RunId(row["run_id"]),
        attempt=row["attempt"],
        name=row["name"],
        sha256=row["sha256"],
        size_bytes=row["size_bytes"],
        kind=row["kind"],
        meta=msgspec.msgpack.decode(row["meta"]),
        at=from_ns(row["time_ns"]),
    )


def from_ns(time_ns: int) -> datetime:
    """An aware datetime, to the microsecond."""
    return _EPOCH + timedelta(microseconds=time_ns // 1000)


def to_ns(moment: datetime) -> int:
    """Nanoseconds since 1970, UTC."""
    return (moment - _EPOCH) // _MICROSECOND * 1000
