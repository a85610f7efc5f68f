"""What the columns of a table of runs are called: fields by their names, all else with a prefix."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from runyard.index import RunRow

CONFIG, LABEL, METRIC = "config.", "label.", "metric."
STATISTICS = ("last", "last_step", "min", "min_step", "max", "max_step", "count")

# text: always text. number and time: empty where there is none. tags: a list.
FIELDS = {
    "id": "text",
    "name": "text",
    "project": "text",
    "experiment": "text",
    "state": "text",
    "reason": "text",
    "tags": "tags",
    "note": "text",
    "seed": "int",
    "user": "text",
    "host": "text",
    "parent": "text",
    "source": "text",
    "commit": "text",
    "branch": "text",
    "created_at": "time",
    "started_at": "time",
    "ended_at": "time",
    "duration_s": "float",
}
SERIES = ("run", "key", "step", "value", "time")

_PLAIN = re.compile(r'[^."\\\[\]]+')
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


def fields_of(row: RunRow) -> dict[str, Any]:
    """The fields of a run, None for those that it lacks."""
    found = {name: getattr(row, name) for name in FIELDS if name not in ("commit", "branch")}
    return found | {
        "state": str(row.state),
        "tags": list(row.tags),
        "commit": row.code.commit,
        "branch": row.code.branch,
    }


def leaves(config: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """The settings of a config by dotted name; a name that holds a dot stands in quotes; empty sections stay."""
    for key, value in config.items():
        inner = (*path, str(key))
        if isinstance(value, Mapping) and value:
            yield from leaves(value, inner)
        else:
            yield dotted(inner), value


def dotted(path: tuple[str, ...]) -> str:
    """The name of a nested setting."""
    return ".".join(part if _PLAIN.fullmatch(part) else json.dumps(part, ensure_ascii=False) for part in path)


def parts(name: str) -> tuple[str, ...]:
    """The path of a dotted name. One that is not well formed is a name as it is."""
    path: list[str] = []
    at = 0
    while True:
        match = _QUOTED.match(name, at) or _PLAIN.match(name, at)
        if match is None:
            return (name,)
        text = match.group()
        path.append(json.loads(text) if text.startswith('"') else text)
        at = match.end()
        if at == len(name):
            return tuple(path)
        if name[at] != ".":
            return (name,)
        at += 1


def metric_of(name: str) -> tuple[str, str]:
    """Key and statistic of a column without its prefix; the statistic is empty where none is named."""
    key, _, statistic = name.rpartition(".")
    return (key, statistic) if key and statistic in STATISTICS else (name, "")
