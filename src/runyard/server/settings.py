"""Config keys of many runs: which differ, and which values they have. What the table's columns are made of."""

import heapq
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, func, select

from runyard.database.schema import run_config, run_metrics, run_tags, runs
from runyard.index.fields import Condition
from runyard.server.asking import batches

LOOKED_AT = 5000  # the newest runs of a filter: they tell which keys differ, and a million settings take a second
_VALUES = 12


@dataclass
class Key:
    """A config key: in how many runs it is, and the number of its different values, the most frequent ones first."""

    key: str
    runs: int = 0
    distinct: int = 0
    values: list[Any] = field(default_factory=list)


def newest(condition: Condition) -> Select[Any]:
    """The ids of the newest runs of a filter."""
    return select(runs.c.id).where(condition).order_by(runs.c.created_ns.desc(), runs.c.id).limit(LOOKED_AT)


def differing_first(tx: Connection, condition: Condition) -> list[Key]:
    """All keys; those that differ between the runs (or that some lack) come first, with their number of values."""
    ids = newest(condition).subquery()
    value = (run_config.c.number, run_config.c.text, run_config.c.flag)
    found = (
        select(run_config.c.key, *value, func.count().label("n"))
        .join(ids, ids.c.id == run_config.c.run_id)
        .group_by(run_config.c.key, *value)
        .order_by(func.count().desc())
    )
    keys: dict[str, Key] = {}
    for row in tx.execute(found):
        known = keys.setdefault(row.key, Key(row.key))
        known.runs += row.n
        known.distinct += 1
        if len(known.values) < _VALUES:
            known.values.append(value_of(row.number, row.text, row.flag))
    total = tx.scalar(select(func.count()).select_from(ids)) or 0
    for known in keys.values():
        known.distinct += known.runs < total
        known.values.sort(key=_by_kind)
    return sorted(keys.values(), key=lambda known: (known.distinct < 2, known.key))


def metrics(tx: Connection, condition: Condition) -> list[tuple[str, int]]:
    """The metrics of the runs, and how many have each; what most have comes first."""
    ids = newest(condition).subquery()
    count = func.count().label("n")
    found = select(run_metrics.c.key, count).join(ids, ids.c.id == run_metrics.c.run_id).group_by(run_metrics.c.key)
    return [(row.key, row.n) for row in tx.execute(found.order_by(count.desc(), run_metrics.c.key))]


def few_of_each(metrics: list[tuple[str, int]], most: int, *, wanted: Collection[str] = ()) -> list[tuple[str, int]]:
    """At most so many of the metrics, in their order: the first of every section, then the second of every section …

    A section is what stands before the first slash, so that `val/loss` is not lost among 12,000 names of layers. Those
    that are `wanted` come before all others.
    """
    if len(metrics) <= most:
        return metrics
    turns: list[tuple[int, int]] = []
    seen: Counter[str] = Counter()
    for place, (key, _) in enumerate(metrics):
        if key in wanted:
            turns.append((-1, place))
            continue
        section = key.partition("/")[0] if "/" in key else ""
        turns.append((seen[section], place))
        seen[section] += 1
    return [metrics[place] for place in sorted(place for _, place in heapq.nsmallest(most, turns))]


def tags(tx: Connection, condition: Condition) -> list[str]:
    """The tags of the runs."""
    ids = newest(condition).subquery()
    found = select(run_tags.c.tag).join(ids, ids.c.id == run_tags.c.run_id).distinct().order_by(run_tags.c.tag)
    return list(tx.scalars(found))


def of_runs(tx: Connection, ids: Sequence[str], keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """These settings of these runs, by run id."""
    found: dict[str, dict[str, Any]] = {run_id: {} for run_id in ids}
    wanted = set(keys)
    for batch in batches(ids):
        # all keys of a run: asked for some of them, SQLite goes through the runs of each key instead
        for row in tx.execute(select(run_config).where(run_config.c.run_id.in_(batch))):
            if row.key in wanted:
                found[row.run_id][row.key] = value_of(row.number, row.text, row.flag)
    return found


def value_of(number: float | None, text: str | None, flag: bool | None) -> Any:
    """A setting as its row holds it; a list is its JSON."""
    if flag is not None:
        return bool(flag)
    if number is not None:
        return int(number) if number == number and abs(number) < 2**53 and number == int(number) else number
    return text


def _by_kind(value: Any) -> tuple[str, Any]:
    if isinstance(value, bool) or value is None:
        return ("z", str(value))
    return ("a", value) if isinstance(value, int | float) else ("b", value)
