"""Names of runs, for people: `name=vit,size=384,lr=0.01,dropout=0.1,patch=16/s2`.

Only what varies in the plan is in a name. A name may change when a plan grows; ids do not.
"""

import re
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import PurePath
from typing import Any

from pydantic import BaseModel

LONGEST_NAME = 80  # without the seed
_FORBIDDEN = re.compile(r"[^A-Za-z0-9._=,+-]+")


def name_runs(settings: Sequence[Mapping[str, Any]], ids: Sequence[str], seeds: Sequence[int | None]) -> list[str]:
    """Name the runs of a plan.

    Args:
        settings: for each run, the keys that its name may show, with their values; without the seed.
        ids: for each run, its short id, which is appended where a name is too long or not the only one.
        seeds: for each run, its seed, or None if the name shall not show it.
    """
    short = short_keys(list(dict.fromkeys(key for each in settings for key in each)))
    bodies = [",".join(f"{short[key]}={format_value(each[key])}" for key in each) or "default" for each in settings]
    tails = [f"/s{seed}" if seed is not None else "" for seed in seeds]
    counts: dict[str, int] = {}
    for body, tail in zip(bodies, tails, strict=True):
        counts[body + tail] = counts.get(body + tail, 0) + 1
    return [
        _fit(body, identity, must_show_id=counts[body + tail] > 1) + tail
        for body, tail, identity in zip(bodies, tails, ids, strict=True)
    ]


def short_keys(keys: Sequence[str]) -> dict[str, str]:
    """Give each key its shortest ending that no other key has."""
    return {key: next(end for end in _endings(key) if not _is_shared(end, key, keys)) for key in keys}


def format_value(value: Any) -> str:
    """Write a value in characters that are safe in names."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Enum):
        return format_value(value.value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return "x".join(format_value(item) for item in value) or "empty"
    if isinstance(value, BaseModel):
        value = dict(value)
    if isinstance(value, Mapping):
        return "+".join(f"{format_value(key)}-{format_value(item)}" for key, item in value.items()) or "empty"
    if isinstance(value, PurePath):
        value = value.as_posix()
    return _FORBIDDEN.sub("-", str(value)).strip("-") or "empty"


def _endings(key: str) -> list[str]:
    parts = key.split(".")
    return [".".join(parts[start:]) for start in range(len(parts) - 1, -1, -1)]


def _is_shared(end: str, key: str, keys: Sequence[str]) -> bool:
    return end != key and any(other != key and f".{other}".endswith(f".{end}") for other in keys)


def _fit(body: str, identity: str, *, must_show_id: bool) -> str:
    if len(body) <= LONGEST_NAME and not must_show_id:
        return body
    return f"{body[: LONGEST_NAME - len(identity) - 1]}~{identity}"
