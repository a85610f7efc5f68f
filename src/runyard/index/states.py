"""The state of a stream: all that its events and rows say, folded (`fold.py`), and small enough to lie in a row."""

import math
from typing import Any

import msgspec

from runyard.journal.events import (
    Ended,
    Environment,
    Failed,
    Held,
    Requeued,
    Started,
    StopRequested,
)


class MetricState(msgspec.Struct, array_like=True):
    """One metric in one stream so far. NaN is left out of min and max."""

    count: int
    first_step: int  # of the first point, which need not be the lowest
    lowest_step: int
    highest_step: int
    last: float
    last_step: int
    last_ns: int
    min: float | None = None
    min_step: int | None = None
    max: float | None = None
    max_step: int | None = None
    top: tuple[int, int, float] | None = None  # step, time and value of the point of the highest step; None: the last

    @property
    def highest(self) -> tuple[int, int, float]:
        """Step, time in nanoseconds and value of the point of the highest step, then of the latest time and value."""
        return self.top or (self.last_step, self.last_ns, self.last)


class ProgressState(msgspec.Struct, array_like=True):
    first_ns: int
    first_done: float
    last_ns: int
    done: float
    total: float
    label: str


class StreamState(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What one stream says."""

    last_ns: int = 0
    metrics: dict[str, MetricState] = {}
    progress: ProgressState | None = None
    tags: dict[str, tuple[int, bool]] = {}  # when it was last touched, and whether it was added
    note: tuple[int, str] | None = None
    name: tuple[int, str] | None = None
    config: dict[str, Any] = {}  # settings that came later, by dotted key
    texts: dict[str, str] = {}  # as another system wrote them
    labels: dict[str, tuple[int, str | None]] = {}  # when each was last touched, and its text; None: removed
    warnings: list[str] = []
    # main
    opened_ns: int | None = None
    finished_ns: int | None = None
    failed: Failed | None = None
    # host
    started: Started | None = None
    environment: Environment | None = None
    ended: Ended | None = None
    # edits
    experiment: str | None = None
    reaped: dict[int, Ended] = {}  # by attempt
    stop: StopRequested | None = None
    requeued: Requeued | None = None
    held: Held | None = None
    priority: int | None = None
    position: float | None = None
    is_trashed: bool = False


encode_state = msgspec.msgpack.Encoder().encode
decode_state = msgspec.msgpack.Decoder(StreamState).decode


def key_prefix(stream: str) -> str:
    """What stands in front of the keys of a stream: "rank1/" for rank1, nothing for main and host."""
    return f"{stream}/" if stream.startswith("rank") else ""


def order(point: tuple[int, int, float]) -> tuple[int, int, float, float]:
    """What points are compared by, equal only for equal points: NaN as 0, beside -0.0 and 0.0."""
    step, time_ns, value = point
    return (step, time_ns, 0.0, -2.0) if value != value else (step, time_ns, value, math.copysign(1.0, value))


def join(first: MetricState, second: MetricState) -> MetricState:
    """Sum up two pieces of a series, `second` logged after `first`."""
    joined = MetricState(
        count=first.count + second.count,
        first_step=first.first_step,
        lowest_step=min(first.lowest_step, second.lowest_step),
        highest_step=max(first.highest_step, second.highest_step),
        last=second.last,
        last_step=second.last_step,
        last_ns=second.last_ns,
        min=first.min,
        min_step=first.min_step,
        max=first.max,
        max_step=first.max_step,
    )
    if second.top or first.highest_step >= second.last_step:
        top = max(first.highest, second.highest, key=order)
        if order(top) != order(joined.highest):  # else it is the last point, however the pieces were cut
            joined.top = top
    if second.min is not None and (first.min is None or second.min < first.min):
        joined.min, joined.min_step = second.min, second.min_step
    if second.max is not None and (first.max is None or second.max > first.max):
        joined.max, joined.max_step = second.max, second.max_step
    return joined
