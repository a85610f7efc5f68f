"""How numbers, times and values of a config are written for people. Nothing here knows of runs or of the terminal."""

import json
import math
from datetime import datetime
from typing import Any

_MINUTE_S = 60
_HOUR_S = 3600
_DAY_S = 86400


def number(value: float | None) -> str:
    """Four significant digits; whole numbers whole; nothing for None."""
    if value is None:
        return ""
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e9:
        return str(int(value))
    return f"{value:.4g}"


def spread(mean: float, std: float | None) -> str:
    """`0.912 ± 0.004`: the mean with as many places as its deviation deserves, which has two digits."""
    if std is None or not math.isfinite(std) or not math.isfinite(mean):
        return number(mean)
    if std == 0:
        return f"{number(mean)} ± 0"
    places = max(0, 1 - math.floor(math.log10(std)))
    if places > 6 or std >= 1e6:
        return f"{mean:.4g} ± {std:.2g}"
    return f"{mean:.{places}f} ± {std:.{places}f}"


def duration(seconds: float | None) -> str:
    """Two units at most: `0.4 s`, `45 s`, `3 min 20 s`, `5 h 20 min`, `3 d 4 h`."""
    if seconds is None:
        return ""
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    for unit_s, name, smaller_s, smaller in (
        (_DAY_S, "d", _HOUR_S, "h"),
        (_HOUR_S, "h", _MINUTE_S, "min"),
        (_MINUTE_S, "min", 1, "s"),
    ):
        if whole >= unit_s:
            rest = whole % unit_s // smaller_s
            return f"{whole // unit_s} {name}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def age(then: datetime | None, now: datetime) -> str:
    """How long ago, in one unit; a date for what is older than 60 days."""
    if then is None:
        return ""
    seconds = (now - then).total_seconds()
    if seconds < 1:
        return "now"
    for unit_s, name in ((_DAY_S, "d"), (_HOUR_S, "h"), (_MINUTE_S, "min")):
        if seconds >= 60 * _DAY_S:
            return f"{then:%Y-%m-%d}"
        if seconds >= unit_s:
            return f"{int(seconds // unit_s)} {name} ago"
    return f"{int(seconds)} s ago"


def moment(at: datetime | None) -> str:
    """A time of day, in the time zone of whoever reads."""
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}" if at else ""


def size(size_bytes: float) -> str:
    """`1.4 GB`, powers of 1000 as disks are sold."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if abs(size_bytes) < 1000 or unit == "TB":
            break
        size_bytes /= 1000
    return f"{size_bytes:.0f} {unit}" if unit == "bytes" or size_bytes >= 100 else f"{size_bytes:.1f} {unit}"


def plural(count: int, noun: str) -> str:
    """`1 run`, `1,200 runs`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def setting(value: Any) -> str:  # a value of a config: whatever JSON can hold
    """One value of a config in one line, text without quotes."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return number(value) if not value.is_integer() else f"{value:g}"
    return json.dumps(value, ensure_ascii=False, default=str)
