"""What Sacred wrote, as plain data: BSON, and JSON that jsonpickle made, read without ever executing anything.

jsonpickle can call whatever its data name. So none of it is handed to jsonpickle: the few forms that are data are
decoded here by hand, and everything else stays as it is written, to be read by a person.
"""

import base64
import binascii
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DEEPEST = 64
_DATETIME_BYTES = 10
_EPOCH = datetime(1970, 1, 1)
_MARK = re.compile(r"\{Tiny(Date|File|Array|DataFrame|Series)\}:(.*)", re.DOTALL)  # of tinydb-serialization


def plain(value: Any, depth: int = 0) -> Any:
    """JSON-like data for anything that was stored; NaN and infinities stay, times become ISO texts."""
    if value is None or isinstance(value, bool | str | float):
        return value
    if isinstance(value, int):
        return int(value)  # also Int64 of BSON
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        decoded = _pickled(value)
        if decoded is not None:
            return plain(decoded, depth + 1)
        return {str(key): plain(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(each, depth + 1) for each in value]
    if isinstance(value, datetime):
        return _utc(value).isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)


def moment(value: Any) -> datetime | None:
    """An aware time, from a BSON date, an ISO text, seconds since 1970 or what jsonpickle made of it; else None.

    All that Sacred writes is UTC, mostly without saying so.
    """
    if isinstance(value, Mapping):
        value = _pickled(value)
    if isinstance(value, str):
        mark = _MARK.match(value)
        try:
            value = datetime.fromisoformat(mark[2] if mark else value)
        except ValueError:
            return None
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        try:
            value = _EPOCH + timedelta(seconds=value)
        except OverflowError:
            return None
    return _utc(value) if isinstance(value, datetime) else None


def times_ns(values: list[Any]) -> NDArray[np.int64] | None:
    """Nanoseconds since 1970 of times, shape (n,), n as many as can be read from the first on; None if none can."""
    try:
        found = np.array(values, "datetime64[us]")  # naive datetimes and ISO texts in one go
    except (ValueError, TypeError):
        moments = [moment(each) for each in values]
        stop = moments.index(None) if None in moments else len(moments)
        found = np.array([each.replace(tzinfo=None) for each in moments[:stop] if each], "datetime64[us]")
    return found.astype(np.int64) * 1000 if len(found) else None


def unmarked(value: Any) -> Any:
    """What TinyDB's serializers made of files, arrays and times, as plain as it can be had."""
    if isinstance(value, Mapping):
        return {str(key): unmarked(each) for key, each in value.items()}
    if isinstance(value, list):
        return [unmarked(each) for each in value]
    if isinstance(value, str) and (mark := _MARK.match(value)):
        return mark[2].strip('"') if mark[1] == "File" else mark[2]
    return value


def _pickled(value: Mapping[Any, Any]) -> Any:
    """What a document of jsonpickle stands for, if that is data of a known form; else None."""
    if set(value) == {"py/tuple"} and isinstance(value["py/tuple"], list):
        return value["py/tuple"]
    if set(value) == {"py/set"} and isinstance(value["py/set"], list):
        return value["py/set"]
    kind = value.get("py/object")
    if kind == "numpy.ndarray" and isinstance(value.get("values"), list | int | float | bool):
        return value["values"]
    if kind == "datetime.datetime":
        return _datetime_in(value)
    return None


def _datetime_in(value: Mapping[Any, Any]) -> datetime | None:
    """The time in the ten bytes that a pickled datetime holds: year (2), month, day, hour, minute, second, µs (3)."""
    try:
        packed = value["__reduce__"][1][0]
        raw = base64.b64decode(packed if isinstance(packed, str) else packed["py/b64"])
        if len(raw) != _DATETIME_BYTES:
            return None
        year, micros = int.from_bytes(raw[:2], "big"), int.from_bytes(raw[7:], "big")
        return datetime(year, raw[2] & 0x7F, raw[3], raw[4], raw[5], raw[6], micros)
    except (KeyError, IndexError, TypeError, ValueError, binascii.Error):
        return None


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
