"""From runs to event files, which TensorBoard shows: scalars, images, sounds, histograms, texts and hyperparameters."""

import json
import re
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from runyard.bridges.protobuf import put_bytes, put_double, put_float, put_int
from runyard.bridges.tensorboard.framing import framed
from runyard.bridges.tensorboard.messages import FAILURE, SUCCESS
from runyard.client import Client
from runyard.client.runs import read_media
from runyard.drafts import drafted
from runyard.index import RunRow
from runyard.index.diff import flatten
from runyard.index.series import Series
from runyard.records import RunState

Progress = Callable[[int, int, str], None]  # runs done, runs in all, the run

_DT_STRING = 7
_DATA_CLASS_TENSOR = 2
_FAILED = {RunState.FAILED, RunState.OUT_OF_MEMORY, RunState.TIMED_OUT, RunState.LOST}


def export_runs(
    client: Client, rows: Sequence[RunRow], out: Path, *, system: bool = False, progress: Progress = lambda *_: None
) -> list[Path]:
    """Write a folder for each run below `out`; return the event files.

    Args:
        system: whether CPU, memory and GPU (`sys/…`) are written, too.

    Raises:
        OSError: a folder cannot be written.
    """
    written = []
    for number, row in enumerate(rows):
        progress(number, len(rows), row.name)
        folder = out / folder_name(row)
        folder.mkdir(parents=True, exist_ok=True)
        stamp = int((row.started_at or row.created_at).timestamp())
        path = folder / f"events.out.tfevents.{stamp:010d}.runyard.{row.id}"
        with drafted(path) as draft, draft.open("wb") as file:
            for record in _records(client, row, system=system):
                file.write(framed(record))
        written.append(path)
    progress(len(rows), len(rows), "")
    return written


def folder_name(row: RunRow) -> str:
    """A run's folder: what of its name may be in a path, and its id, which makes it the only one."""
    return f"{re.sub(r'[^A-Za-z0-9_.=,+-]+', '_', row.name).strip('._')[:80] or 'run'}-{row.id}"


def _records(client: Client, row: RunRow, *, system: bool) -> Iterator[bytes]:
    began = (row.started_at or row.created_at).timestamp()
    yield put_double(1, began) + put_bytes(3, "brain.Event:2")  # the version, by which readers know the format
    yield from _hyperparameters(row, began)
    for key in client.index.keys(row.id):
        if system or not key.startswith("sys/"):
            yield from _scalars(key, client.index.series(row.id, key))
    for place in client.index.media(row.id):
        media = read_media(client, place)
        value = _MEDIA[media.kind](media.key, media.data, media.meta) if media.kind in _MEDIA else None
        if value is not None:
            yield _event(media.time_ns / 1e9, media.step, value)
    ended = (row.ended_at or row.started_at or row.created_at).timestamp()
    if row.state.is_ended:
        status = FAILURE if row.state in _FAILED else SUCCESS
        end = put_int(1, status) + put_double(2, ended)
        yield _event(
            ended, 0, _plugin_value("_hparams_/session_end_info", "hparams", put_int(1, 0) + put_bytes(4, end))
        )


def _scalars(key: str, series: Series) -> Iterator[bytes]:
    tag = put_bytes(1, key)
    for step, value, time_ns in zip(series.steps.tolist(), series.values.tolist(), series.times.tolist(), strict=True):
        yield _event(time_ns / 1e9, step, tag + put_float(2, _as_float(value)))


def _as_float(value: float) -> float:
    """A double that a float can hold: what is larger becomes infinite."""
    try:
        struct.pack("<f", value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
    return value


def _event(time_s: float, step: int, value: bytes) -> bytes:
    return put_double(1, time_s) + put_int(2, step) + put_bytes(5, put_bytes(1, value))


def _plugin_value(tag: str, plugin: str, content: bytes = b"", tensor: bytes = b"") -> bytes:
    about = put_bytes(1, put_bytes(1, plugin) + (put_bytes(2, content) if content else b""))
    about += put_int(4, _DATA_CLASS_TENSOR) if tensor else b""
    return put_bytes(1, tag) + put_bytes(9, about) + (put_bytes(8, tensor) if tensor else b"")


def _hyperparameters(row: RunRow, began: float) -> Iterator[bytes]:
    """The config as one session of the plugin for hyperparameters.

    What an experiment consists of is not told: TensorBoard takes the first run's word for that, and would show no
    setting that only others have. Untold it looks at all runs.
    """
    settings = {name: value for name, value in flatten(row.config).items() if value is not None}
    if not settings:
        return
    pairs = b"".join(put_bytes(1, put_bytes(1, name) + put_bytes(2, _value(v))) for name, v in settings.items())
    start = pairs + put_bytes(4, row.id) + put_double(5, began)
    yield _event(
        began, 0, _plugin_value("_hparams_/session_start_info", "hparams", put_int(1, 0) + put_bytes(3, start))
    )


def _value(value: Any) -> bytes:
    if isinstance(value, bool):
        return put_int(4, int(value))
    if isinstance(value, int | float):
        return put_double(2, float(value))
    return put_bytes(3, value if isinstance(value, str) else json.dumps(value, default=str))


# ---- media ----


def _image(key: str, data: bytes, meta: Mapping[str, Any]) -> bytes:
    size = put_int(1, int(meta.get("height") or 0)) + put_int(2, int(meta.get("width") or 0))
    image = size + put_int(3, int(meta.get("channels") or 3)) + put_bytes(4, data)
    return put_bytes(1, key) + put_bytes(4, image)


def _audio(key: str, data: bytes, meta: Mapping[str, Any]) -> bytes:
    size = put_float(1, float(meta.get("rate_hz") or 0)) + put_int(2, int(meta.get("channels") or 1))
    audio = size + put_int(3, int(meta.get("frames") or 0)) + put_bytes(4, data) + put_bytes(5, "audio/wav")
    return put_bytes(1, key) + put_bytes(6, audio)


def _text(key: str, data: bytes, meta: Mapping[str, Any]) -> bytes:
    tensor = put_int(1, _DT_STRING) + put_bytes(2, put_bytes(2, put_int(1, 1))) + put_bytes(8, data)
    return _plugin_value(key, "text", tensor=tensor)


def _histogram(key: str, data: bytes, meta: Mapping[str, Any]) -> bytes:
    found = json.loads(data)
    edges, counts = [float(each) for each in found["edges"]], [float(each) for each in found["counts"]]
    middles = [(left + right) / 2 for left, right in pairwise(edges)]
    total = sum(counts)
    sums = sum(count * middle for count, middle in zip(counts, middles, strict=True))
    squares = sum(count * middle**2 for count, middle in zip(counts, middles, strict=True))
    head = put_double(1, edges[0]) + put_double(2, edges[-1]) + put_double(3, total) + put_double(4, sums)
    # the first bucket ends where the first edge is: all that is below it, which is nothing
    packed = put_bytes(6, struct.pack(f"<{len(edges)}d", *edges))
    packed += put_bytes(7, struct.pack(f"<{len(edges)}d", 0.0, *counts))
    return put_bytes(1, key) + put_bytes(5, head + put_double(5, squares) + packed)


_MEDIA: dict[str, Callable[[str, bytes, Mapping[str, Any]], bytes]] = {
    "image": _image,
    "figure": _image,
    "audio": _audio,
    "text": _text,
    "histogram": _histogram,
}
