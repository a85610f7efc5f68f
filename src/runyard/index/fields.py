"""The fields of the query language, and the pieces of SQL that ask for them.

Every piece is true or false for a run, never NULL.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Literal

import msgspec
from sqlalchemy import BigInteger, Column, ColumnElement, Table, and_, exists, false, literal, or_, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import Boolean

from runyard.database.schema import INDEXED_CHARACTERS, run_config, run_metrics, runs

Condition = ColumnElement[bool]
Operator = Callable[[ColumnElement[Any], Any], Condition]
Kind = Literal["text", "number", "time", "state"]

AGGREGATES = ("last", "min", "max", "count", "last_step", "min_step", "max_step")

# name -> column of `runs`, and what it holds
COLUMNS: dict[str, tuple[str, Kind]] = {
    "id": ("id", "text"),
    "name": ("name", "text"),
    "project": ("project", "text"),
    "experiment": ("experiment", "text"),
    "grid": ("grid", "text"),
    "kind": ("kind", "text"),
    "state": ("state", "state"),
    "reason": ("reason", "text"),
    "note": ("note", "text"),
    "user": ("user", "text"),
    "host": ("host", "text"),
    "data": ("data", "text"),
    "group": ("group", "text"),
    "config_id": ("config_id", "text"),
    "code_id": ("code_id", "text"),
    "fingerprint": ("fingerprint", "text"),
    "parent": ("parent", "text"),
    "source": ("source", "text"),
    "seed": ("seed", "number"),
    "attempt": ("attempt", "number"),
    "duration_s": ("duration_s", "number"),
    "created_at": ("created_ns", "time"),
    "started_at": ("started_ns", "time"),
    "ended_at": ("ended_ns", "time"),
}


@dataclass(frozen=True)
class ColumnField:
    """A property of the run itself."""

    name: str
    column: Column[Any]
    kind: Kind


@dataclass(frozen=True)
class ConfigField:
    """A setting, by its dotted key."""

    key: str


@dataclass(frozen=True)
class MetricField:
    """A number of a metric."""

    key: str
    aggregate: str


@dataclass(frozen=True)
class TagsField:
    """The tags of the run."""


Field = ColumnField | ConfigField | MetricField | TagsField


class Contains(FunctionElement[bool]):
    """Whether a text contains another, with case: LIKE would not tell upper from lower on SQLite."""

    type = Boolean()
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], text: str) -> None:
        super().__init__(column, literal(text, column.type))


@compiles(Contains, "sqlite")
def _contains_on_sqlite(element: Contains, compiler: Any, **options: Any) -> str:
    return f"instr({compiler.process(element.clauses, **options)}) > 0"


@compiles(Contains, "postgresql")
def _contains_on_postgresql(element: Contains, compiler: Any, **options: Any) -> str:
    return f"strpos({compiler.process(element.clauses, **options)}) > 0"


class SameText(FunctionElement[bool]):
    """Whether a setting is a text, so that an index can tell: that of PostgreSQL holds the beginnings alone."""

    type = Boolean()
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], text: str) -> None:
        super().__init__(column, literal(text, column.type))


@compiles(SameText, "sqlite")
def _same_on_sqlite(element: SameText, compiler: Any, **options: Any) -> str:
    column, text = (compiler.process(each, **options) for each in element.clauses)
    return f"{column} = {text}"


@compiles(SameText, "postgresql")
def _same_on_postgresql(element: SameText, compiler: Any, **options: Any) -> str:
    column, text = (compiler.process(each, **options) for each in element.clauses)
    beginnings = f"left({column}, {INDEXED_CHARACTERS}) = left({text}, {INDEXED_CHARACTERS})"
    return f"({beginnings} AND {column} = {text})"


class BesideIndex(FunctionElement[bool]):
    """Whether a column holds a text, where another index than that of the column shall lead: SQLite takes the column
    that it knows a value of, and then sorts all that it found; PostgreSQL knows how common a value is."""

    type = Boolean()
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], text: str) -> None:
        super().__init__(column, literal(text, column.type))


@compiles(BesideIndex, "sqlite")
def _beside_on_sqlite(element: BesideIndex, compiler: Any, **options: Any) -> str:
    column, text = (compiler.process(each, **options) for each in element.clauses)
    return f"+{column} = {text}"


@compiles(BesideIndex, "postgresql")
def _beside_on_postgresql(element: BesideIndex, compiler: Any, **options: Any) -> str:
    column, text = (compiler.process(each, **options) for each in element.clauses)
    return f"{column} = {text}"


def has_row(table: Table, *conditions: Condition) -> Condition:
    """A row for which a condition is NULL is no row, so nothing needs to be said about NULL in side tables."""
    return exists().where(table.c.run_id == runs.c.id, *conditions).correlate(runs)


def has_setting(key: str, condition: Condition) -> Condition:
    """The run has this setting, and a condition on its row in `run_config` holds."""
    return has_row(run_config, run_config.c.key == key, condition)


def has_metric(key: str, condition: Condition) -> Condition:
    """The run has this metric, and a condition on its row in `run_metrics` holds."""
    return has_row(run_metrics, run_metrics.c.key == key, condition)


def setting_is_there() -> Condition:
    """A row of `run_config` holds a value, and not None."""
    return or_(run_config.c.number.is_not(None), run_config.c.text.is_not(None), run_config.c.flag.is_not(None))


def is_there(field: Field) -> Condition:
    """The run has a value for the field."""
    match field:
        case ColumnField(column=column):
            return column.is_not(None)
        case ConfigField(key=key):
            return has_setting(key, setting_is_there())
        case MetricField(key=key, aggregate=aggregate):
            return has_metric(key, run_metrics.c[aggregate].is_not(None))
        case TagsField():
            return true()


def setting_column(value: object) -> tuple[ColumnElement[Any], object]:
    """The column of `run_config` in which such a value stands, and the value as it stands there."""
    if isinstance(value, bool):
        return run_config.c.flag, value
    if isinstance(value, int | float):
        return run_config.c.number, value
    if isinstance(value, str):
        return run_config.c.text, value
    return run_config.c.text, msgspec.json.encode(value).decode()


def compared(operator: Operator, column: ColumnElement[Any], value: object) -> Condition:
    """A comparison with a value, as Python would do it; NULL where the column is.

    Whole numbers are compared with whole numbers and floats with floats, since databases convert in ways of their own.
    """
    if column is run_config.c.text and isinstance(value, str) and operator is eq:
        return SameText(column, value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return operator(column, value)
    if isinstance(column.type, BigInteger):
        return _compared_whole(operator, column, value)
    return operator(column, _as_float(value))


def _compared_whole(operator: Operator, column: ColumnElement[Any], value: float) -> Condition:
    if not -(2**63) <= value < 2**63:
        is_true = operator is ne or (operator in (lt, le) if value > 0 else operator in (gt, ge))
        return and_(column.is_not(None), true() if is_true else false())
    if value == (whole := math.floor(value)):
        return operator(column, whole)
    if operator in (eq, ne):
        return and_(column.is_not(None), true() if operator is ne else false())
    return column <= whole if operator in (lt, le) else column > whole


def _as_float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:  # an integer of more than 308 digits
        return math.inf if number > 0 else -math.inf
