"""Media of a history, by their `_type`: images, sounds, films, histograms and tables. The rest stays files."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from runyard.bridges.kinds import kind_of, mime_of
from runyard.errors import UsageError
from runyard.tracking.media.histogram import histogram_from
from runyard.tracking.media.table import encode_table

_LARGEST_BYTES = 8 << 20  # of an event; what is larger stays a file

Find = Callable[[str], Path | None]  # the file of a name below the run's folder


@dataclass(frozen=True)
class Shown:
    """What becomes an event. `files` are those that it holds, and that need not be kept beside it."""

    key: str
    kind: str
    mime: str
    data: bytes
    meta: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotShown:
    """What cannot be read, and why."""

    why: str
    files: tuple[str, ...] = ()


def media_of(name: str, value: Mapping[str, Any], find: Find) -> Iterator[Shown | NotShown]:
    """What a value shows. Nothing for what stays a file: HTML, figures, point clouds, and what is large."""
    match value.get("_type"):
        case "image-file" | "audio-file" | "video-file":
            yield from _file(name, value.get("path"), value.get("caption"), find)
        case "images/separated":
            captions = value.get("captions")
            for number, path in enumerate(_listed(value.get("filenames"))):
                caption = captions[number] if isinstance(captions, list) and number < len(captions) else None
                yield from _file(f"{name}/{number}" if number else name, path, caption, find)
        case "histogram":
            yield _histogram(name, value)
        case "table-file":
            yield from _table(name, value.get("path"), find)
        case _ if not _files_in(value):
            text = json.dumps(value, default=str)
            yield Shown(name, "text", "text/plain", text.encode(errors="replace"))


def _file(name: str, path: Any, caption: Any, find: Find) -> Iterator[Shown | NotShown]:
    file = find(path) if isinstance(path, str) else None
    if file is None:
        yield NotShown(f"its file {str(path)[:200]} is not here")
    elif file.stat().st_size <= _LARGEST_BYTES:
        data = file.read_bytes()
        mime = mime_of(data)
        if kind := kind_of(mime):  # others stay files
            meta = {"caption": caption} if isinstance(caption, str) and caption else {}
            yield Shown(name, kind, mime, data, meta, files=(str(path),))


def _histogram(name: str, value: Mapping[str, Any]) -> Shown | NotShown:
    packed = value.get("packedBins")
    counts = _listed(value.get("values"))
    try:
        if isinstance(packed, Mapping):
            edges = float(packed["min"]) + float(packed["size"]) * np.arange(len(counts) + 1)
        else:
            edges = np.asarray(_listed(value.get("bins")), np.float64)
        data, meta = histogram_from(counts, edges)
    except (UsageError, ValueError, TypeError, KeyError) as problem:
        return NotShown(f"its histogram cannot be read: {problem}".rstrip("."))
    return Shown(name, "histogram", "application/json", data, meta)


def _table(name: str, path: Any, find: Find) -> Iterator[Shown | NotShown]:
    file = find(path) if isinstance(path, str) else None
    if file is None:
        yield NotShown(f"its table {str(path)[:200]} is not here")
        return
    if file.stat().st_size > _LARGEST_BYTES:
        return
    try:
        found = json.loads(file.read_bytes())
        columns = _unique([str(each) for each in found["columns"]])
        rows = [dict(zip(columns, map(_cell, row), strict=True)) for row in found["data"]]
        data, meta = encode_table(rows or {each: [] for each in columns})
    except (ValueError, TypeError, KeyError, UsageError, RecursionError) as problem:
        yield NotShown(f"its table {path} cannot be read: {problem}".rstrip("."))
        return
    yield Shown(name, "table", "application/json", data, meta, files=(str(path),))


def _unique(columns: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    for column in columns:
        seen[column] = seen.get(column, 0) + 1
    taken: dict[str, int] = {}
    names = []
    for column in columns:
        taken[column] = taken.get(column, 0) + 1
        names.append(column if seen[column] == 1 else f"{column} {taken[column]}")
    return names


def _cell(value: Any) -> Any:
    """A cell that is no plain value is shown as the file it names, else as JSON."""
    if isinstance(value, dict):
        return value.get("path") or json.dumps(value, default=str)
    return json.dumps(value, default=str) if isinstance(value, list) else value


def _files_in(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("path"), str) or bool(_listed(value.get("filenames")))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
