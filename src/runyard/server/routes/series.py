"""Curves: any number of runs and metrics in one binary answer."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
import numpy as np
from fastapi import APIRouter
from numpy.typing import NDArray
from pydantic import Field
from sqlalchemy import select
from starlette.responses import Response

from runyard.client import Client
from runyard.database.schema import run_metrics, runs
from runyard.errors import UsageError
from runyard.index.series import Buckets, buckets_of_series, within
from runyard.server import models
from runyard.server.along import along
from runyard.server.answers import JSON
from runyard.server.asking import LARGEST_INTEGER, MOST_RUNS, Body, Home, Remembered, RunIds, batches, run_ids

router = APIRouter(tags=["series"])

BINARY = "application/octet-stream"
ALIGNED = 8  # bytes: a browser can look at float64 in place only where they are aligned
_MOST_SERIES = 5000
_SECOND_NS = 1_000_000_000
_LARGEST_S = 9e9  # seconds since 1970 that fit into nanoseconds of 64 bits

_Array = NDArray[np.float64]
_Border = Annotated[float, Field(ge=-LARGEST_INTEGER, le=LARGEST_INTEGER, allow_inf_nan=False)]


class Asked(Body):
    """Curves of these runs and metrics. `start` and `stop` are on the x axis: steps, or seconds."""

    runs: Annotated[list[str], Field(min_length=1, max_length=MOST_RUNS)]
    keys: Annotated[list[str], Field(min_length=1, max_length=MOST_RUNS)]
    buckets: Annotated[int, Field(ge=1, le=100_000)] = 600
    start: _Border | None = None
    stop: _Border | None = None
    x: Annotated[str, Field(max_length=2000, pattern=r"^(step|time|relative|metric:.+)$")] = "step"


_LAYOUT = """A uint32 (little endian): the length of the header. The header: JSON, `{"series": [{"run", "key", "count",
"is_bucketed", "arrays": [names], "offset"}]}`. Zeros up to a multiple of 8 bytes. Then float64 (little endian): for
each series its arrays one after the other, `count` numbers each, from byte `offset` behind the zeros on.

A series that has more points than buckets comes as `x`, `min`, `max`, `mean`, `last` of each bucket (x: of its last
point), a shorter one as `x`, `y`. Runs that lack a metric are left out. x is the step, the time (seconds since 1970),
or seconds since the run started; with `metric:epoch` the value that this metric had at that step (runs without it are
left out), ascending, where points of equal x are one bucket."""


@router.post(
    "/series",
    response_class=Response,
    responses={200: {"description": _LAYOUT, "content": {BINARY: {"schema": {"type": "string", "format": "binary"}}}}},
)
def series(client: Home, asked: Asked) -> Response:
    """Curves, thinned to what a screen can show: no extreme is lost, however many points there are."""
    ids, keys = list(dict.fromkeys(asked.runs)), list(dict.fromkeys(asked.keys))
    if len(ids) * len(keys) > _MOST_SERIES:
        raise UsageError(f"{len(ids) * len(keys):,} series are too many at once; ask for at most {_MOST_SERIES:,}.")
    starts = _started_ns(client, ids) if asked.x == "relative" else {}
    header: list[dict[str, object]] = []
    arrays: list[_Array] = []
    offset = 0
    for key in keys:
        for run_id, own in _curves(client, ids, key, asked, starts):
            is_bucketed, count = len(own) > 2, len(own[0])
            names = ["x", "min", "max", "mean", "last"] if is_bucketed else ["x", "y"]
            header.append(
                {"run": run_id, "key": key, "count": count, "is_bucketed": is_bucketed, "arrays": names}
                | {"offset": offset}
            )
            offset += 8 * count * len(own)
            arrays += own
    return Response(_packed(header, arrays), media_type=BINARY)


@router.get("/metrics", response_model=models.MetricKeys)
def metrics(client: Home, memory: Remembered, runs: RunIds) -> Response:
    """The metrics that any of these runs has, sorted."""
    ids = client.index.visible(run_ids(runs))
    return Response(memory.recall(("metrics", *ids), lambda: _metrics(client, ids)), media_type=JSON)


def _metrics(client: Client, ids: Sequence[str]) -> bytes:
    """As they are sent: a run may have 12,000, which is little as text."""
    keys: set[str] = set()
    with client.database.read() as tx:
        for some in batches(ids):
            keys |= set(tx.scalars(select(run_metrics.c.key).where(run_metrics.c.run_id.in_(some)).distinct()))
    return msgspec.json.encode({"keys": sorted(keys)})


def _curves(
    client: Client, ids: Sequence[str], key: str, asked: Asked, starts: dict[str, int]
) -> Iterator[tuple[str, list[_Array]]]:
    kind, _, axis = asked.x.partition(":")
    if kind == "metric":
        yield from along(client, ids, key, axis, buckets=asked.buckets, start=asked.start, stop=asked.stop)
        return
    for run_id, found in _bucketed(client, ids, key, asked, starts):
        yield run_id, _arrays(found, asked.x, starts.get(run_id, 0))


def _bucketed(
    client: Client, ids: Sequence[str], key: str, asked: Asked, starts: dict[str, int]
) -> Iterator[tuple[str, Buckets]]:
    """Runs that have the metric, in the order of the ids."""
    if asked.x == "step" or (asked.start is None and asked.stop is None):
        start = None if asked.start is None else int(np.floor(asked.start))
        stop = None if asked.stop is None else int(np.ceil(asked.stop))
        found = client.index.bucketed_many(ids, key, asked.buckets, start=start, stop=stop)
        yield from ((run_id, found[run_id]) for run_id in ids if run_id in found)
        return
    whole = client.index.series_many(ids, key)  # pyramids are cut by steps; a part of the time needs all points
    for run_id in ids:
        if run_id in whole:
            first, last = (_to_ns(border, starts.get(run_id, 0)) for border in (asked.start, asked.stop))
            yield run_id, buckets_of_series(within(whole[run_id], first, last), asked.buckets)


def _to_ns(border: float | None, start_ns: int) -> int | None:
    if border is None:
        return None
    return start_ns + int(min(max(border, -_LARGEST_S / 9), _LARGEST_S - start_ns / _SECOND_NS) * _SECOND_NS)


def _started_ns(client: Client, ids: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    with client.database.read() as tx:
        for batch in batches(ids):
            asked = select(runs.c.id, runs.c.started_ns, runs.c.created_ns).where(runs.c.id.in_(batch))
            found |= {
                row.id: row.started_ns if row.started_ns is not None else row.created_ns for row in tx.execute(asked)
            }
    return found


def _arrays(found: Buckets, x: str, start_ns: int) -> list[_Array]:
    axis: _Array = found.last_steps.astype(np.float64) if x == "step" else (found.times - start_ns) / _SECOND_NS
    if not len(found) or int(found.counts.max()) == 1:
        return [axis, found.last]
    return [axis, found.min, found.max, found.mean, found.last]


def _packed(header: list[dict[str, object]], arrays: list[_Array]) -> bytes:
    head = msgspec.json.encode({"series": header})
    padding = -(4 + len(head)) % ALIGNED
    pieces = [len(head).to_bytes(4, "little"), head, bytes(padding)]
    return b"".join([*pieces, *(np.ascontiguousarray(array, "<f8").tobytes() for array in arrays)])
