"""The query language: a Python expression about a run, compiled to SQL and never evaluated.

`docs/query-language.md` describes it. The text is parsed with `ast`; every value in it becomes a bound
parameter, every name is looked up in the table of fields (`fields.py`), so no text of a user becomes SQL.
Every comparison compiles to a condition that is true or false, never NULL, so that `not` means not.
"""

import ast
import difflib
import operator
import warnings
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from threading import Lock
from typing import Any

from sqlalchemy import Select, Table, and_, false, not_, or_, select, true

from runyard.database.schema import run_config, run_metrics, run_tags, runs
from runyard.errors import QueryError
from runyard.index.fields import (
    AGGREGATES,
    COLUMNS,
    ColumnField,
    Condition,
    ConfigField,
    Contains,
    Field,
    MetricField,
    TagsField,
    compared,
    has_row,
    has_setting,
    is_there,
    setting_column,
    setting_is_there,
)
from runyard.index.rows import to_ns
from runyard.records import RunState

IsRare = Callable[[Select[tuple[str]]], bool]

_ALL_FIELDS = [*COLUMNS, "tags", "config", "metric"]

_parsing = Lock()  # the filters of warnings and, in Python 3.11, the depth of a tree belong to all threads
_MAX_CHARACTERS = 10_000
_MAX_DEPTH = 40  # SQLite's parser gives up at 100
_MAX_COMPARISONS = 200

_OPERATORS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_FLIPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE}


def compile_query(text: str, is_rare: IsRare | None = None) -> Condition:
    """A condition on a row of `runs`.

    Args:
        is_rare: whether a selection of run ids is short. If so it is looked up first and the runs by it; otherwise
            each run is looked at in the order of sorting, which stops after one page.

    Raises:
        QueryError: with the position and the length of the culprit.
    """
    return _compile_alone(text) if is_rare is None else _Compiler(text, is_rare).compile()


@lru_cache(maxsize=256)  # dashboards ask the same again and again
def _compile_alone(text: str) -> Condition:
    return _Compiler(text, None).compile()


def compile_field(text: str) -> Field:
    """A field alone, as for sorting.

    Raises:
        QueryError: it is none.
    """
    return _Compiler(text, None).field_alone()


class _Compiler:
    """Holds the text, to tell where something is wrong."""

    def __init__(self, text: str, is_rare: IsRare | None) -> None:
        self._is_rare = is_rare
        self._indent = len(text) - len(text.lstrip())
        self._text = text
        self._comparisons = 0

    def compile(self) -> Condition:
        if not self._text.strip():
            return true()
        return self._condition(self._parse(), depth=0)

    def field_alone(self) -> Field:
        return self._field(self._parse())

    # ---- reading ----

    def _parse(self) -> ast.expr:
        if len(self._text) > _MAX_CHARACTERS:
            raise QueryError(f"The query has {len(self._text):,} characters; {_MAX_CHARACTERS:,} are the most.")
        source = self._text.strip().replace("\n", " ").replace("\r", " ")
        try:
            with _parsing, warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Python's advice about code, e.g. on escapes, is no business of ours
                return ast.parse(source, mode="eval").body
        except SyntaxError as problem:
            position = self._indent + max((problem.offset or 1) - 1, 0)
            raise QueryError(self._syntax_message(position), position=min(position, len(self._text))) from None
        except (RecursionError, MemoryError, ValueError):
            raise QueryError(
                "The query cannot be read: it is nested too deeply, or holds strange characters."
            ) from None

    def _syntax_message(self, position: int) -> str:
        for slip, advice in (("&&", "Write 'and'."), ("||", "Write 'or'.")):
            if slip in self._text:
                return f"The query cannot be read at '{slip}'. {advice}"
        rest = self._text[position:]
        if rest.startswith("!"):
            return "The query cannot be read at '!'. Write 'not' or '!='."
        stripped = self._text.replace("==", "").replace("!=", "").replace("<=", "").replace(">=", "")
        if "=" in stripped:
            return "The query cannot be read. To compare, write '==' instead of '='."
        shown = rest[:20] or "its end"
        return f'The query cannot be read at {shown!r}. An example: config.lr < 0.01 and "baseline" in tags'

    def _error(self, node: ast.AST, message: str) -> QueryError:
        begin = self._character(getattr(node, "col_offset", 0))
        end = self._character(getattr(node, "end_col_offset", 0) or 0)
        return QueryError(message, position=begin, length=max(end - begin, 1))

    def _character(self, byte_offset: int) -> int:
        """Position in the text of an offset in the UTF-8 bytes that were parsed."""
        return self._indent + len(self._text.strip().encode()[:byte_offset].decode(errors="ignore"))

    def _shown(self, node: ast.AST) -> str:
        begin = self._character(getattr(node, "col_offset", 0))
        return self._text[begin : self._character(getattr(node, "end_col_offset", 0) or 0)]

    # ---- conditions ----

    def _condition(self, node: ast.expr, *, depth: int) -> Condition:
        if depth > _MAX_DEPTH:
            raise self._error(node, f"The query is nested deeper than {_MAX_DEPTH} levels. Take it apart.")
        match node:
            case ast.BoolOp(op=op, values=values):
                parts = [self._condition(value, depth=depth + 1) for value in values]
                return and_(*parts) if isinstance(op, ast.And) else or_(*parts)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return not_(self._condition(operand, depth=depth + 1).self_group())
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                sides = [left, *comparators]
                pairs = zip(sides[:-1], ops, sides[1:], strict=True)
                return and_(*[self._compare(one, op, other) for one, op, other in pairs])
            case ast.Constant(value=bool(value)):
                return true() if value else false()
            case ast.BinOp(op=ast.BitAnd() | ast.BitOr() as op):
                right, wrong = ("and", "&") if isinstance(op, ast.BitAnd) else ("or", "|")
                raise self._error(node, f"Write '{right}' instead of '{wrong}'.")
            case ast.Name() | ast.Attribute() | ast.Subscript():
                return self._flag(node)
        raise self._error(node, f"'{self._shown(node)}' is no condition. An example: config.lr < 0.01")

    def _flag(self, node: ast.expr) -> Condition:
        field = self._field(node)
        if not isinstance(field, ConfigField):
            raise self._error(
                node, f"'{self._shown(node)}' needs a comparison, e.g. {self._shown(node)} {_example(field)}."
            )
        return self._has(run_config, field.key, run_config.c.flag.is_(True))

    def _compare(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Condition:
        self._comparisons += 1
        if self._comparisons > _MAX_COMPARISONS:
            raise self._error(left, f"The query has more than {_MAX_COMPARISONS} comparisons. Take it apart.")
        if isinstance(op, ast.Is | ast.IsNot):
            raise self._error(left, "Write '== None' instead of 'is None', and '!= None' instead of 'is not None'.")
        if isinstance(op, ast.In | ast.NotIn):
            return self._contained(left, right, is_negated=isinstance(op, ast.NotIn))
        if _is_value(left) and _is_value(right):
            raise self._error(
                left, f"'{self._shown(left)}' and '{self._shown(right)}' are both values; one must be a field."
            )
        if _is_value(left):
            left, right = right, left
            op = _FLIPPED.get(type(op), type(op))()
        field = self._field(left)
        if not _is_value(right):
            raise self._error(right, self._no_value(right))
        return self._compare_field(field, op, right)

    def _no_value(self, node: ast.expr) -> str:
        if isinstance(node, ast.Name) and node.id not in _ALL_FIELDS:
            return f"'{node.id}' is no value. Text needs quotes: \"{node.id}\"."
        return f"'{self._shown(node)}' is no value. A field is compared with a number, a text, True, False or None."

    def _compare_field(self, field: Field, op: ast.cmpop, node: ast.expr) -> Condition:
        value = self._value(node)
        if value is None:
            return self._compare_none(field, op, node)
        if isinstance(value, list) and not isinstance(field, ConfigField):
            raise self._error(node, 'A list goes with \'in\', e.g. state in ["FAILED", "LOST"].')
        match field:
            case TagsField():
                raise self._error(node, "Tags are asked for with 'in', e.g. \"baseline\" in tags.")
            case ColumnField():
                return self._compare_column(field, op, value, node)
            case MetricField():
                number = self._number(value, node, f"A metric is a number; '{self._shown(node)}' is none.")
                column = run_metrics.c[field.aggregate]
                return self._has(run_metrics, field.key, compared(_OPERATORS[type(op)], column, number))
            case ConfigField():
                return self._compare_setting(field, op, value, node)

    def _compare_none(self, field: Field, op: ast.cmpop, node: ast.expr) -> Condition:
        if not isinstance(op, ast.Eq | ast.NotEq):
            raise self._error(node, "None is compared with '==' or '!=' only.")
        if isinstance(field, TagsField):
            raise self._error(node, "Tags are asked for with 'in', e.g. \"baseline\" in tags.")
        has_value = is_there(field)
        return not_(has_value) if isinstance(op, ast.Eq) else has_value

    def _compare_column(self, field: ColumnField, op: ast.cmpop, value: object, node: ast.expr) -> Condition:
        wanted = self._for_column(field, value, node)
        return and_(field.column.is_not(None), compared(_OPERATORS[type(op)], field.column, wanted))

    def _for_column(self, field: ColumnField, value: object, node: ast.expr) -> object:
        """The value as the column holds it."""
        if field.kind == "number":
            return self._number(value, node, f"{field.name} is a number; '{self._shown(node)}' is none.")
        if not isinstance(value, str):
            raise self._error(node, f"{field.name} is compared with a text in quotes; '{self._shown(node)}' is none.")
        if field.kind == "state":
            return self._state(value, node)
        return self._time(value, node) if field.kind == "time" else value

    def _state(self, value: str, node: ast.expr) -> str:
        state = value.upper()
        if state not in RunState.__members__:
            known = ", ".join(RunState.__members__)
            raise self._error(node, f"'{value}' is no state.{_guess(state, RunState.__members__)} The states: {known}.")
        return state

    def _time(self, value: str, node: ast.expr) -> int:
        try:
            moment = datetime.fromisoformat(value)
            return to_ns(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        except (ValueError, OverflowError):
            raise self._error(node, f"'{value}' is no time. Write 2026-01-31, or 2026-01-31T18:00, in UTC.") from None

    def _compare_setting(self, field: ConfigField, op: ast.cmpop, value: object, node: ast.expr) -> Condition:
        is_ordered = not isinstance(op, ast.Eq | ast.NotEq)
        if is_ordered and isinstance(value, bool | list):
            raise self._error(node, f"'{self._shown(node)}' has no order; compare it with '==' or '!='.")
        column, wanted = setting_column(value)
        if isinstance(op, ast.NotEq):  # also what is of another kind differs
            return has_setting(
                field.key, and_(setting_is_there(), or_(column.is_(None), compared(operator.ne, column, wanted)))
            )
        return self._has(run_config, field.key, compared(_OPERATORS[type(op)], column, wanted))

    def _contained(self, left: ast.expr, right: ast.expr, *, is_negated: bool) -> Condition:
        if _is_value(left):
            found = self._text_in_field(left, right)
            return not_(found) if is_negated else found
        field = self._field(left)
        if not isinstance(right, ast.List | ast.Tuple | ast.Set):
            raise self._error(right, f'\'{self._shown(right)}\' is no list. Write e.g. state in ["FAILED", "LOST"].')
        if is_negated and not isinstance(field, TagsField):
            each = [self._compare_field(field, ast.NotEq(), item) for item in right.elts]
            return and_(is_there(field), *each)
        return or_(false(), *[self._compare_field(field, ast.Eq(), item) for item in right.elts])

    def _text_in_field(self, left: ast.expr, right: ast.expr) -> Condition:
        value = self._value(left)
        if not isinstance(value, str):
            raise self._error(left, f"'{self._shown(left)}' is no text. Write e.g. \"baseline\" in tags.")
        if _is_value(right):
            raise self._error(right, f"'{self._shown(right)}' is no field. Write e.g. \"baseline\" in tags.")
        field = self._field(right)
        match field:
            case TagsField():
                return self._chosen(run_tags, run_tags.c.tag == value)
            case ConfigField(key=key):
                text = run_config.c.text
                return has_setting(key, and_(text.is_not(None), Contains(text, value)))
            case ColumnField(kind="text", column=column):
                return and_(column.is_not(None), Contains(column, value))
        raise self._error(right, f"'{self._shown(right)}' is no text, so nothing can be in it.")

    def _has(self, table: Table, key: str, condition: Condition) -> Condition:
        return self._chosen(table, and_(table.c.key == key, condition))

    def _chosen(self, table: Table, condition: Condition) -> Condition:
        """Whether the run has a row in a side table whose index answers the condition."""
        if self._is_rare:
            ids = select(table.c.run_id).where(condition)
            if self._is_rare(ids):
                return runs.c.id.in_(ids)
        return has_row(table, condition)

    # ---- values ----

    def _value(self, node: ast.expr) -> object:
        match node:
            case ast.Constant(value=str(text)):
                if "\0" in text or not _is_encodable(text):
                    raise self._error(node, "This text holds a character that no text in a database can hold.")
                return text
            case ast.Constant(value=None | bool() | int() | float() as value):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return -number
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                return [self._value(element) for element in elements]
        raise self._error(node, self._no_value(node))

    def _number(self, value: object, node: ast.expr, message: str) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._error(node, message)
        return value

    # ---- fields ----

    def _field(self, node: ast.expr) -> Field:
        root, path = self._path(node)
        if root.id in ("config", "metric", "metrics"):
            if not path:
                example = "config.lr" if root.id == "config" else 'metric["loss"].min'
                raise self._error(node, f"'{root.id}' needs a key, e.g. {example}.")
            if root.id == "config":
                return ConfigField(".".join(name for name, _ in path))
            return self._metric(node, path)
        if root.id == "tags" and not path:
            return TagsField()
        if root.id in COLUMNS and not path:
            name, kind = COLUMNS[root.id]
            return ColumnField(root.id, runs.c[name], kind)
        if root.id in COLUMNS or root.id == "tags":
            raise self._error(node, f"'{root.id}' has no parts; '{self._shown(node)}' asks for one.")
        raise self._error(root, self._unknown(root.id, self._shown(node)))

    def _unknown(self, name: str, whole: str) -> str:
        guess = _guess(name, _ALL_FIELDS)
        advice = guess or f' Write config.{whole} for a setting, metric["{whole}"] for a metric.'
        return f"'{name}' is no field.{advice} The fields: {', '.join(_ALL_FIELDS)}."

    def _metric(self, node: ast.expr, path: list[tuple[str, bool]]) -> MetricField:
        """`path` holds names and whether they were written in brackets."""
        *before, (last, in_brackets) = path
        if before and not in_brackets and last in AGGREGATES:
            return MetricField(".".join(name for name, _ in before), last)
        if before and not in_brackets and before[-1][1]:
            known = ", ".join(AGGREGATES)
            raise self._error(node, f"A metric has no '{last}'.{_guess(last, AGGREGATES)} It has: {known}.")
        return MetricField(".".join(name for name, _ in path), "last")

    def _path(self, node: ast.expr) -> tuple[ast.Name, list[tuple[str, bool]]]:
        path: list[tuple[str, bool]] = []
        inner = node
        while True:
            match inner:
                case ast.Name():
                    return inner, path[::-1]
                case ast.Attribute(value=value, attr=name):
                    path.append((name, False))
                    inner = value
                case ast.Subscript(value=value, slice=ast.Constant(value=str(name))):
                    path.append((name, True))
                    inner = value
                case ast.Call():
                    raise self._error(node, f"'{self._shown(node)}' is a call; a query cannot call anything.")
                case _:
                    raise self._error(node, f"'{self._shown(node)}' is no field. The fields: {', '.join(_ALL_FIELDS)}.")


def _is_value(node: ast.expr) -> bool:
    match node:
        case ast.Constant() | ast.List() | ast.Tuple() | ast.Set():
            return True
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant()):
            return True
    return False


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _guess(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


def _example(field: Field) -> str:
    match field:
        case ColumnField(kind="state"):
            return '== "FAILED"'
        case ColumnField(kind="text"):
            return '== "text"'
        case ColumnField(kind="time"):
            return '> "2026-01-31"'
        case _:
            return "> 0"
