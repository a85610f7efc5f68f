"""Groups of runs, found and sorted in the database: one row for all seeds of a setting, or for equal config keys.

`index.groups` folds rows that are already read; here a hundred thousand runs are grouped and one page is read.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, FromClause, and_, case, func, null, select

from runyard.database.schema import run_config, run_metrics, runs
from runyard.errors import QueryError, UsageError
from runyard.index.fields import AGGREGATES, ColumnField, Condition, ConfigField, Field, MetricField
from runyard.index.query import compile_field
from runyard.server import settings
from runyard.server.asking import batches

ALL_BUT_SEED = "all-but-seed"
_METRIC = "metric:"
_MEMBERS = 1000  # ids in an answer; more curves than that nobody looks at
_MOST_KEYS = 8
_MANY = 5000  # runs
_SHARED_BY = 100  # members that are looked at for what they share
_ID_LENGTH = 16


@dataclass(frozen=True)
class Wanted:
    """A metric's column: its name as asked for, and the number of each run that counts."""

    name: str
    key: str
    statistic: str


@dataclass
class Group:
    """Runs that agree in what they were grouped by."""

    id: str  # of what the members have in common: it stays when members come
    ids: list[str]
    label: str
    config: dict[str, Any]
    states: dict[str, int]
    metrics: dict[str, dict[str, Any]]


def wanted_metric(name: str) -> Wanted:
    """`val/accuracy.max` is the highest value of each run, `val/accuracy` its last one."""
    key, _, statistic = name.rpartition(".")
    return Wanted(name, key, statistic) if key and statistic in AGGREGATES else Wanted(name, name, "last")


def page(
    tx: Connection,
    condition: Condition,
    known: Sequence[settings.Key],
    *,
    by: str,
    metrics: Sequence[str],
    sort: str,
    offset: int,
    limit: int,
) -> tuple[int, list[Group]]:
    """The number of groups, and one page of them.

    Args:
        known: the config keys of the runs.

    Raises:
        UsageError: no run has a config key of that name, or there are too many keys.
        QueryError: the field to sort by is unknown.
    """
    keys = None if by == ALL_BUT_SEED else _checked(by, [each.key for each in known])
    source, identity = _identity(keys)
    ordered, order = _order(source, sort)
    total = func.count().over().label("total")
    common = [column.label(f"common_{number}") for number, column in enumerate(identity)]
    # few groups of many runs bring their members along; of many groups those of one page are looked up by an index
    joined = null() if keys is None else func.aggregate_strings(runs.c.id, ",")
    listed = (
        select(total, joined.label("members"), *common)
        .select_from(ordered)
        .where(condition)
        .group_by(*identity)
        .order_by(*order)
    )
    rows = tx.execute(listed.offset(offset).limit(limit)).all()
    if not rows:
        grouped = select(*common).select_from(source).where(condition).group_by(*identity).subquery()
        return tx.scalar(select(func.count()).select_from(grouped)) or 0, []
    differing = [each.key for each in known if each.distinct > 1 and each.key != "seed"]
    shown = list(dict.fromkeys([*(keys or []), *differing]))
    wanted = [wanted_metric(name) for name in metrics]
    same = [(str(row.members).split(",") if row.members else []) for row in rows]
    if keys is None:
        same = _members(tx, condition, [(row.common_0, row.common_1) for row in rows])
    ids = [hashlib.sha256(msgspec.json.encode([by, *row[2:]])).hexdigest()[:_ID_LENGTH] for row in rows]
    return rows[0].total, _groups(tx, dict(zip(ids, same, strict=True)), shown, wanted, titled_by=keys or shown)


def _members(tx: Connection, condition: Condition, pairs: Sequence[tuple[str, str]]) -> list[list[str]]:
    """The runs of each group of runs that differ by their seed alone, given by project and identity."""
    found: dict[tuple[str, str], list[str]] = {pair: [] for pair in pairs}
    own = select(runs.c.id, runs.c.project, runs.c.group).where(condition)
    for batch in batches([identity for _, identity in pairs]):
        for row in tx.execute(own.where(runs.c.group.in_(batch))).all():
            found.get((row.project, row.group), []).append(row.id)
        for row in tx.execute(own.where(runs.c.id.in_(batch), runs.c.group == "")).all():
            found.get((row.project, row.id), []).append(row.id)
    return [found[pair] for pair in pairs]


def _checked(by: str, known: Sequence[str]) -> list[str]:
    keys = list(dict.fromkeys(name.strip().removeprefix("config.") for name in by.split(",") if name.strip()))
    if not 1 <= len(keys) <= _MOST_KEYS:
        raise UsageError(f"Runs are grouped by '{ALL_BUT_SEED}' or by 1 to {_MOST_KEYS} config keys, not {len(keys)}.")
    for key in keys:
        if known and key not in known:
            raise UsageError(f"No run has the config key '{key[:80]}' to group by. `/columns` lists them.")
    return keys


def _identity(keys: Sequence[str] | None) -> tuple[FromClause, list[ColumnElement[Any]]]:
    """What runs of one group have in common."""
    if keys is None:
        own = case((runs.c.group != "", runs.c.group), else_=runs.c.id)  # one without an identity stands for itself
        return runs, [runs.c.project, own]
    source: FromClause = runs
    columns: list[ColumnElement[Any]] = []
    for number, key in enumerate(keys):
        table = run_config.alias(f"by_{number}")
        source = source.outerjoin(table, and_(table.c.run_id == runs.c.id, table.c.key == key))
        columns += [table.c.number, table.c.text, table.c.flag]
    return source, columns


def _order(source: FromClause, sort: str) -> tuple[FromClause, list[ColumnElement[Any]]]:
    """A group sorts by the mean of a number, else by the highest value; groups without it come last."""
    is_descending = sort.startswith("-")
    name = sort.removeprefix("-")
    if name == "n":
        value: ColumnElement[Any] = func.count()
    else:
        match _field(name):
            case MetricField(key=key, aggregate=aggregate):
                table = run_metrics.alias("sorted")
                source = source.outerjoin(table, and_(table.c.run_id == runs.c.id, table.c.key == key))
                value = func.avg(table.c[aggregate])
            case ConfigField(key=key):
                table = run_config.alias("sorted")
                source = source.outerjoin(table, and_(table.c.run_id == runs.c.id, table.c.key == key))
                text = func.max(table.c.text)
                flag = case((table.c.flag.is_(True), 1.0), (table.c.flag.is_(False), 0.0))
                number = func.max(func.coalesce(table.c.number, flag))
                return source, [number.is_(None), *(_directed(each, is_descending) for each in (number, text)), _FIRST]
            case ColumnField(column=column):
                value = func.max(column)
            case _:
                raise QueryError("Groups cannot be sorted by their tags.", length=len(name))
    return source, [value.is_(None), _directed(value, is_descending), _FIRST]


_FIRST = func.min(runs.c.id)


def _directed(value: ColumnElement[Any], is_descending: bool) -> ColumnElement[Any]:
    return value.desc() if is_descending else value.asc()


def _field(name: str) -> Field:
    if not name.startswith(_METRIC):
        return compile_field(name)
    wanted = wanted_metric(name.removeprefix(_METRIC))
    return MetricField(wanted.key, wanted.statistic)


def _groups(
    tx: Connection,
    members: dict[str, list[str]],
    shown: Sequence[str],
    wanted: Sequence[Wanted],
    *,
    titled_by: Sequence[str],
) -> list[Group]:
    """The groups of a page; each table is asked for all of their runs at once."""
    everybody = [run_id for ids in members.values() for run_id in ids]
    known = {run_id: (name, state) for run_id, name, state in _facts(tx, everybody)}
    values = _values(tx, everybody, wanted)
    configs = settings.of_runs(tx, [run_id for ids in members.values() for run_id in sorted(ids)[:_SHARED_BY]], shown)
    found = []
    for group_id, ids in members.items():
        ids = sorted(ids)
        states: dict[str, int] = {}
        for run_id in ids:
            states[known[run_id][1]] = states.get(known[run_id][1], 0) + 1
        config = _shared([configs[run_id] for run_id in ids[:_SHARED_BY]], shown)
        titled = {key: config[key] for key in titled_by if key in config}
        found.append(
            Group(
                id=group_id,
                ids=ids[:_MEMBERS],
                label=_label(titled, known[ids[0]][0] if ids else ""),
                config=config,
                states=dict(sorted(states.items())),
                metrics={
                    each.name: _spread(numbers)
                    for each in wanted
                    if (numbers := [values[each.name][run_id] for run_id in ids if run_id in values[each.name]])
                },
            )
        )
    return found


def _facts(tx: Connection, ids: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    for batch in batches(ids):
        for row in tx.execute(select(runs.c.id, runs.c.name, runs.c.state).where(runs.c.id.in_(batch))).all():
            yield row.id, row.name, row.state


def _shared(configs: Sequence[dict[str, Any]], keys: Sequence[str]) -> dict[str, Any]:
    """The settings in which all agree."""
    if not configs:
        return {}
    first, *others = configs
    return {key: first[key] for key in keys if key in first and all(key in o and o[key] == first[key] for o in others)}


def _values(tx: Connection, ids: Sequence[str], wanted: Sequence[Wanted]) -> dict[str, dict[str, float]]:
    """The number of each run that counts, by metric."""
    found: dict[str, dict[str, float]] = {}
    for each in wanted:
        asked = select(run_metrics.c.run_id, run_metrics.c[each.statistic]).where(run_metrics.c.key == each.key)
        # of many runs: once through the metric is faster than looking each run up
        statements = [asked] if len(ids) > _MANY else [asked.where(run_metrics.c.run_id.in_(b)) for b in batches(ids)]
        members = set(ids)
        found[each.name] = {
            run_id: value
            for statement in statements
            for run_id, value in tx.execute(statement).all()
            if value is not None and math.isfinite(value) and run_id in members
        }
    return found


def _spread(numbers: Sequence[float]) -> dict[str, Any]:
    """Mean and the sample's standard deviation (n - 1), which a single run does not have."""
    n = len(numbers)
    mean = math.fsum(numbers) / n
    std = math.sqrt(math.fsum((x - mean) ** 2 for x in numbers) / (n - 1)) if n > 1 else None
    return {"mean": mean, "std": std, "n": n, "min": min(numbers), "max": max(numbers)}


def _label(config: dict[str, Any], name: str) -> str:
    """The settings in one line: `lr=0.1 depth=3`; the name of a member where nothing differs."""
    if config:
        return " ".join(f"{key.rpartition('.')[2]}={_text(value)}" for key, value in config.items())
    head, slash, tail = name.rpartition("/s")
    return head if slash and tail.isdigit() else name


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
