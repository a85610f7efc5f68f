"""Values as W&B writes them, in ours: nested keys as dotted names, media by their `_type`."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from runyard.bridges.intake import series_name
from runyard.bridges.trees import put
from runyard.bridges.wandb.messages import Items

TYPE = "_type"
OWN = ("_step", "_timestamp", "_runtime", "_wandb")
_NUMBERS = frozenset(b"-0123456789NI")  # how a number begins in JSON, and NaN and Infinity
_SYSTEM = "sys/"
_GPU = {
    "gpu": "util_percent",
    "temp": "temperature_c",
    "powerWatts": "power_w",
    "memoryAllocatedBytes": "memory_used_bytes",
}
_PARTS = 3  # gpu, its number, what was measured


class Unreadable(ValueError):
    """A value that is no JSON."""


def decoded(value: bytes) -> Any:  # whatever JSON can hold
    """A value.

    Raises:
        Unreadable: it is no JSON.
    """
    if value and value[0] in _NUMBERS:
        try:
            return float(value)
        except ValueError:
            pass
    return exactly(value)


def exactly(value: bytes) -> Any:  # as above
    """As `decoded`, and whole numbers stay whole.

    Raises:
        Unreadable: it is no JSON.
    """
    try:
        return json.loads(value) if value else None
    except (ValueError, RecursionError):
        raise Unreadable(f"{value[:60].decode(errors='replace')!r} is no JSON") from None


def row_of(items: Items) -> tuple[dict[str, float], dict[str, Any], float | None]:
    """What a history holds: numbers by name, all else by name, and its time in seconds since 1970.

    Raises:
        Unreadable: a value is no JSON.
    """
    numbers: dict[str, float] = {}
    others: dict[str, Any] = {}
    time_s: float | None = None
    whole: dict[str, Any] = {}
    for path, value in items:
        if len(path) == 1 and path[0] not in OWN and value and value[0] in _NUMBERS:
            numbers[series_name(path[0])] = decoded(value)
        elif path == ("_timestamp",):
            time_s = decoded(value)
        elif path and path[0] not in OWN:
            put(whole, path, decoded(value))
    for name, found in _leaves(whole):
        if isinstance(found, bool | int | float):
            numbers[name] = float(found)
        elif found is not None:
            others[name] = found
    return numbers, others, time_s if isinstance(time_s, float) and math.isfinite(time_s) else None


def system_name(key: str) -> str:
    """What a measurement of the machine is called here; those that we take ourselves, by our names."""
    if key == "memory_percent":
        return f"{_SYSTEM}memory_percent"
    parts = key.split(".")
    if len(parts) == _PARTS and parts[0] == "gpu" and parts[1].isdigit() and parts[2] in _GPU:
        return f"{_SYSTEM}gpu{parts[1]}/{_GPU[parts[2]]}"
    return series_name(_SYSTEM + key)


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Values by dotted name; a medium is one value."""
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and TYPE not in value:
            yield from _leaves(value, f"{name}.")
        else:
            yield series_name(name), value
