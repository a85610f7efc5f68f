"""Finding runs: filtering, sorting and paging in the database, then reading the documents of one page."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, and_, exists, func, select, true

from runyard.database.schema import run_config, run_documents, run_metrics, runs
from runyard.errors import NotFound, QueryError, UsageError
from runyard.index.fields import AGGREGATES, BesideIndex, ColumnField, Condition, ConfigField, Field, MetricField
from runyard.index.merge import decode_merged, run_row
from runyard.index.query import compile_field, compile_query
from runyard.index.rows import RunRow
from runyard.index.scope import Scope
from runyard.records import RunId, decode_spec

_AT_ONCE = 500  # ids in one statement
_METRIC = "metric:"
_LISTED = 8  # runs in a message
_RARE = 2000  # a filter that keeps fewer runs is looked up first
_ORDERED = {
    "name",
    "duration_s",
    "started_at",
    "ended_at",
}  # have an index of their own, that of projects ends in created_at
_ONE_OF_MANY = select(runs.c.id).limit(1).offset(3 * _RARE)  # among fewer runs the order of looking does not matter


@dataclass(frozen=True)
class _Phase:
    """Runs that sort by one column; those of a later phase come behind all of an earlier one."""

    source: FromClause
    id: ColumnElement[str]
    order: ColumnElement[Any] | None
    condition: Condition


def condition(
    tx: Connection, query: str | None, *, project: str | None, trashed: bool | None, scope: Scope, sort: str = ""
) -> Condition:
    """What the runs must fulfil. `sort`: by what they will be sorted, if a page of them is asked for."""
    parts: list[Condition] = []
    if query:
        is_large = tx.execute(_ONE_OF_MANY).first() is not None
        parts.append(compile_query(query, partial(_is_rare, tx) if is_large else None))
    if project is not None:
        parts.append(_of_project(tx, project, sort))
    if trashed is not None:
        parts.append(runs.c.is_trashed.is_(trashed))
    if not scope.is_everything:
        parts.append(scope.condition())
    return and_(true(), *parts)


def _of_project(tx: Connection, project: str, sort: str) -> Condition:
    """Of a large project a page is found sooner along the index of its order."""
    same = runs.c.project == project
    has_index = sort.removeprefix("-") in _ORDERED
    return (
        BesideIndex(runs.c.project, project) if has_index and not _is_rare(tx, select(runs.c.id).where(same)) else same
    )


def _is_rare(tx: Connection, ids: Select[tuple[str]]) -> bool:
    return tx.execute(ids.limit(1).offset(_RARE)).first() is None


def sorted_ids(tx: Connection, wanted: Condition, *, sort: str, limit: int | None, offset: int) -> list[str]:
    """The ids of one page.

    Each phase reads one index from its end, so that a page costs as much as its rows wherever the filter is no
    narrower than the page.
    """
    is_descending = sort.startswith("-")
    ids: list[str] = []
    for phase in _phases(_sort_field(sort.removeprefix("-"))):
        found = select(phase.id).select_from(phase.source).where(wanted, phase.condition)
        page = found.order_by(*_order(phase, is_descending=is_descending))
        if limit is not None:
            page = page.limit(limit - len(ids))
        new = list(tx.scalars(page.offset(offset) if offset else page))
        ids += new
        if limit is not None and len(ids) >= limit:
            break
        if offset:
            offset = 0 if new else offset - tx.execute(select(func.count()).select_from(found.subquery())).scalar_one()
    return ids


def rows(tx: Connection, ids: Sequence[str]) -> list[RunRow]:
    """The runs with these ids, in their order; ids that are unknown are left out."""
    found: dict[str, RunRow] = {}
    for begin in range(0, len(ids), _AT_ONCE):
        documents = select(run_documents).where(run_documents.c.run_id.in_(ids[begin : begin + _AT_ONCE]))
        for run_id, spec, merged in tx.execute(documents):
            found[run_id] = run_row(decode_spec(spec), decode_merged(merged))
    return [found[run_id] for run_id in ids if run_id in found]


def resolve(tx: Connection, text: str, scope: Scope) -> RunId:
    """See `Index.resolve`. An exact id wins over a name, a name over the beginning of an id."""
    ours = scope.condition()
    exact = tx.scalar(select(runs.c.id).where(runs.c.id == text, ours))
    if exact is not None:
        return RunId(exact)
    newest_first = (runs.c.created_ns.desc(), runs.c.id)
    named = select(runs.c.id, runs.c.name).where(runs.c.name == text, runs.c.is_trashed.is_(False))
    beginning = select(runs.c.id, runs.c.name).where(runs.c.id >= text, runs.c.id < f"{text}\x7f")
    for what, found in (("have the name", named), ("have an id that begins with", beginning)):
        matches = tx.execute(found.where(ours).order_by(*newest_first).limit(_LISTED + 1)).all() if text else []
        if len(matches) == 1:
            return RunId(matches[0].id)
        if matches:
            listed = ", ".join(f"{row.id} ({row.name})" for row in matches[:_LISTED])
            more = ", …" if len(matches) > _LISTED else ""
            raise UsageError(f"Several runs {what} '{text}': {listed}{more}. Give more of the id.")
    raise NotFound(f"There is no run '{text}'.{_near_misses(tx, text, ours)} `runyard runs` lists them.")


def _near_misses(tx: Connection, text: str, ours: Condition) -> str:
    recent = select(runs.c.id, runs.c.name).where(runs.c.is_trashed.is_(False), ours)
    names: dict[str, str] = {}
    for run_id, name in tx.execute(recent.order_by(runs.c.created_ns.desc(), runs.c.id).limit(1000)):
        names.setdefault(name, f"{run_id} ({name})")
        names.setdefault(run_id, f"{run_id} ({name})")
    close = difflib.get_close_matches(text, list(names), n=3)
    return f" Did you mean {', '.join(dict.fromkeys(names[name] for name in close))}?" if close else ""


def _sort_field(text: str) -> Field:
    if not text.startswith(_METRIC):
        field = compile_field(text)
        if not isinstance(field, ColumnField | ConfigField | MetricField):
            raise QueryError("Runs cannot be sorted by their tags.", length=len(text))
        return field
    key, _, aggregate = text.removeprefix(_METRIC).rpartition(".")
    if key and aggregate in AGGREGATES:
        return MetricField(key, aggregate)
    return MetricField(text.removeprefix(_METRIC), "last")


def _phases(field: Field) -> list[_Phase]:
    match field:
        case ColumnField(column=column):
            here = _Phase(runs, runs.c.id, column, true())
            if not column.nullable:
                return [here]
            return [
                _Phase(runs, runs.c.id, column, column.is_not(None)),
                _Phase(runs, runs.c.id, None, column.is_(None)),
            ]
        case MetricField(key=key, aggregate=aggregate):
            return _side_table_phases(run_metrics, key, [aggregate])
        case ConfigField(key=key):
            return _side_table_phases(run_config, key, ["number", "text", "flag"])
    raise TypeError(field)


def _side_table_phases(table: Any, key: str, columns: list[str]) -> list[_Phase]:
    joined = table.join(runs, runs.c.id == table.c.run_id)
    there = [
        _Phase(joined, table.c.run_id, table.c[name], and_(table.c.key == key, table.c[name].is_not(None)))
        for name in columns
    ]
    has_none = and_(*(table.c[name].is_(None) for name in columns))
    has_value = exists().where(table.c.run_id == runs.c.id, table.c.key == key, ~has_none).correlate(runs)
    return [*there, _Phase(runs, runs.c.id, None, ~has_value)]


def _order(phase: _Phase, *, is_descending: bool) -> list[ColumnElement[Any]]:
    if phase.order is None:
        return [phase.id]
    return [phase.order.desc() if is_descending else phase.order.asc(), phase.id.asc()]
