"""What each run of an experiment needs: `resources: {gpus: 1, time: 2h}`."""

from collections.abc import Callable, Mapping
from typing import Any

from runyard.config.durations import parse_duration_s, parse_size_bytes
from runyard.config.scalars import Scalar, show_raw
from runyard.config.suggestions import did_you_mean
from runyard.records import Resources


def parse_resources(section: Mapping[str, Any], *, where: Callable[[str], str], problems: list[str]) -> Resources:
    """Read the block `resources`; what is wrong goes into `problems`, with `where(key)` in front."""
    fields: dict[str, Any] = {}
    for key, raw in section.items():
        if key not in _READERS:
            guess = did_you_mean(key, _READERS)
            problems.append(f"{where(key)}resources has no '{key}'{guess or '. It has ' + ', '.join(_READERS)}")
            continue
        name, read = _READERS[key]
        try:
            fields[name] = read(raw)
        except ValueError as error:
            problems.append(f"{where(key)}'resources.{key}': {error}")
    return Resources(**fields)


def _count(raw: Any) -> int:
    number = raw.value if isinstance(raw, Scalar) else raw
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise ValueError(f"{show_raw(raw)} is no whole number")
    return number


def _number(raw: Any) -> float:
    number = raw.value if isinstance(raw, Scalar) else raw
    if not isinstance(number, int | float) or isinstance(number, bool) or not number > 0:
        raise ValueError(f"{show_raw(raw)} is no number above 0")
    return float(number)


def _text(raw: Any) -> str:
    return raw.text if isinstance(raw, Scalar) else str(raw)


_READERS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "gpus": ("gpus", _count),
    "cpus": ("cpus", _number),
    "gpu_memory": ("gpu_memory_bytes", lambda raw: parse_size_bytes(_text(raw))),
    "memory": ("memory_bytes", lambda raw: parse_size_bytes(_text(raw))),
    "time": ("time_limit_s", lambda raw: parse_duration_s(_text(raw))),
}
