"""MLflow's search language: clauses joined by AND, and orders. Parsed here, never handed on to a database."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from runyard.server.mlflow.errors import MlflowError

T = TypeVar("T")
Kind = Literal["number", "text"]
Values = Callable[[T, str, str], Sequence[Any]]  # item, entity, key -> its values there; none, one, or several

_NUMERIC = ("=", "!=", ">", ">=", "<", "<=")
_TEXT = ("=", "!=", "LIKE", "ILIKE")
_NULL = ("IS NULL", "IS NOT NULL")
_LIST = ("IN", "NOT IN")
_LONGEST = 50_000
_MOST_CLAUSES = 200
_ENTITIES = {
    "metric": "metrics", "metrics": "metrics",
    "param": "params", "params": "params", "parameter": "params", "parameters": "params",
    "tag": "tags", "tags": "tags",
    "attribute": "attributes", "attributes": "attributes", "attr": "attributes", "run": "attributes",
    "dataset": "datasets", "datasets": "datasets",
}  # fmt: skip
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<name>(?:[A-Za-z_][\w\-/]*|`[^`]*`|"[^"]*")(?:\.(?:[\w\-/:]+|`[^`]*`|"[^"]*"))*)
    | (?P<text>'(?:[^'\\]|\\.|'')*')
    | (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<sign>>=|<=|!=|=|>|<|\(|\)|,)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Language:
    """What may be asked: entities with keys of any name, attributes of a kind each, other names of attributes."""

    attributes: Mapping[str, Kind]
    aliases: Mapping[str, str] = field(default_factory=dict)
    entities: frozenset[str] = frozenset({"metrics", "params", "tags", "attributes"})
    dataset_keys: tuple[str, ...] = ()

    def kind(self, entity: str, key: str) -> Kind:
        """What the values of a key are."""
        if entity == "metrics":
            return "number"
        return self.attributes[key] if entity == "attributes" else "text"

    def resolve(self, name: str) -> tuple[str, str]:
        """Entity and key of a name.

        Raises:
            MlflowError: there is none.
        """
        first, dot, rest = _split(name)
        entity = _ENTITIES.get(first) if dot else "attributes"
        key = _unquoted(rest if dot else first)
        if entity not in self.entities:
            raise MlflowError(f"Invalid entity type '{first}' in '{name}'. Valid values are {sorted(self.entities)}.")
        if entity == "attributes":
            key = self.aliases.get(key.lower(), key)
            if key not in self.attributes:
                raise MlflowError(f"Invalid attribute key '{key}' specified. Valid keys are {sorted(self.attributes)}.")
        if entity == "datasets" and key not in self.dataset_keys:
            raise MlflowError(f"Invalid dataset key '{key}' specified. Valid keys are {list(self.dataset_keys)}.")
        if not key:
            raise MlflowError(f"Invalid identifier '{name}': it names no key.")
        return entity, key


@dataclass(frozen=True)
class Clause:
    """One comparison; the value is a number, a text, a tuple of texts, or None."""

    entity: str
    key: str
    operator: str
    value: Any

    def holds(self, values: Sequence[Any]) -> bool:
        """Whether it is true for one of the values."""
        if self.operator == "IS NULL":
            return not values
        if self.operator == "IS NOT NULL":
            return bool(values)
        return any(_compare(value, self.operator, self.value) for value in values if value is not None)


@dataclass(frozen=True)
class Order:
    """What to sort by."""

    entity: str
    key: str
    is_ascending: bool


def parse_filter(text: str | None, language: Language) -> list[Clause]:
    """The clauses of a filter; none for an empty one.

    Raises:
        MlflowError: it cannot be understood.
    """
    if text is None or not text.strip():
        return []
    tokens = _Tokens(text)
    clauses = [_clause(tokens, language)]
    while tokens.word() == "AND":
        tokens.take()
        clauses.append(_clause(tokens, language))
        if len(clauses) > _MOST_CLAUSES:
            raise MlflowError(f"A filter has at most {_MOST_CLAUSES} clauses.")
    if not tokens.is_over:
        raise MlflowError(f"Invalid clause(s) in filter string: '{tokens.rest}'. Clauses are joined by AND only.")
    return clauses


def parse_orders(texts: Iterable[str], language: Language) -> list[Order]:
    """What to sort by, the most important first.

    Raises:
        MlflowError: one cannot be understood.
    """
    orders = []
    for text in texts:
        name, direction = text.strip(), "ASC"
        if found := re.search(r"\s+(asc|desc)$", name, re.IGNORECASE):
            name, direction = name[: found.start()], found[1].upper()
        tokens = _Tokens(name)
        entity, key = language.resolve(tokens.name("order_by"))
        if not tokens.is_over:
            raise MlflowError(f"Invalid order_by clause '{text}'.")
        orders.append(Order(entity, key, direction == "ASC"))
    return orders


def matching(items: Iterable[T], clauses: Sequence[Clause], values: "Values[T]") -> list[T]:
    """The items for which all clauses hold."""
    return [item for item in items if all(clause.holds(values(item, clause.entity, clause.key)) for clause in clauses)]


def sorted_by(items: Iterable[T], orders: Sequence[Order], values: "Values[T]") -> list[T]:
    """Sorted stably. What has no value comes last in both directions, NaN before it."""
    ordered = list(items)
    for order in reversed(orders):

        def found(item: T, order: Order = order) -> Any:
            return next((each for each in values(item, order.entity, order.key) if each is not None), None)

        real = [item for item in ordered if _rank(found(item)) == 0]
        real.sort(key=found, reverse=not order.is_ascending)
        rest = sorted((item for item in ordered if _rank(found(item))), key=lambda item: _rank(found(item)))
        ordered = real + rest
    return ordered


def _rank(value: Any) -> int:
    if value is None:
        return 2
    return 1 if value != value else 0


# ---- reading ----


class _Tokens:
    """The tokens of a text, one after the other."""

    def __init__(self, text: str) -> None:
        if len(text) > _LONGEST:
            raise MlflowError(f"A filter has at most {_LONGEST:,} characters.")
        self._text = text
        self._position = 0
        self._next: re.Match[str] | None = None
        self._advance()

    @property
    def is_over(self) -> bool:
        return self._next is None and not self.rest

    @property
    def rest(self) -> str:
        start = self._next.start() if self._next else self._position
        return self._text[start:].strip()

    def word(self) -> str:
        """The next token in capitals if it is a word or a sign, else nothing."""
        found = self._next
        return (found["name"] or found["sign"] or "").upper() if found else ""

    def take(self) -> re.Match[str]:
        found = self._next
        if found is None:
            what = f"at '{self.rest}'" if self.rest else "at its end"
            raise MlflowError(f"Invalid clause(s) in filter string: '{self._text}' cannot be read {what}.")
        self._advance()
        return found

    def name(self, where: str) -> str:
        found = self.take()
        if found["name"] is None:
            raise MlflowError(f"Invalid identifier '{found[0].strip()}' in {where}: '{self._text}'.")
        return str(found["name"])

    def _advance(self) -> None:
        self._next = _TOKEN.match(self._text, self._position)
        if self._next:
            self._position = self._next.end()


def _clause(tokens: _Tokens, language: Language) -> Clause:
    entity, key = language.resolve(tokens.name("filter string"))
    operator = _operator(tokens)
    kind = language.kind(entity, key)
    allowed = _NUMERIC if kind == "number" else _allowed(entity)
    if operator not in allowed:
        raise MlflowError(f"Invalid comparator '{operator}' for {entity}.{key}, not one of {list(allowed)}.")
    if operator in _NULL:
        return Clause(entity, key, operator, None)
    if operator in _LIST:
        return Clause(entity, key, operator, _texts(tokens))
    return Clause(entity, key, operator, _number(tokens, key) if kind == "number" else _quoted(tokens, key))


def _allowed(entity: str) -> tuple[str, ...]:
    return _TEXT + _NULL if entity in ("params", "tags") else _TEXT + _LIST


def _operator(tokens: _Tokens) -> str:
    operator = tokens.take()[0].strip().upper()
    if operator == "IS":
        word = tokens.take()[0].strip().upper()
        if word == "NOT":
            operator, word = "IS NOT", tokens.take()[0].strip().upper()
        return f"{operator} {word}"
    if operator == "NOT":
        return f"NOT {tokens.take()[0].strip().upper()}"
    return operator


def _number(tokens: _Tokens, key: str) -> float:
    found = tokens.take()
    if found["number"] is None:
        raise MlflowError(f"Expected numeric value type for '{key}'. Found {found[0].strip()}.")
    text = found["number"]
    return int(text) if text.lstrip("+-").isdigit() else float(text)


def _quoted(tokens: _Tokens, key: str) -> str:
    found = tokens.take()
    if found["text"] is not None:
        return _text(found["text"])
    name = found["name"]
    if name is not None and name.startswith('"') and name.endswith('"') and name.count('"') == 2:
        return str(name[1:-1])
    raise MlflowError(f"Expected a quoted string value for '{key}' (e.g. 'my-value'). Got value {found[0].strip()}.")


def _texts(tokens: _Tokens) -> tuple[str, ...]:
    if tokens.take()["sign"] != "(":
        raise MlflowError("Expected a list of quoted strings in parentheses.")
    found = [_quoted(tokens, "IN")]
    while tokens.word() == ",":
        tokens.take()
        if tokens.word() == ")":
            break
        found.append(_quoted(tokens, "IN"))
    if tokens.take()["sign"] != ")":
        raise MlflowError("A list of quoted strings ends with a parenthesis.")
    return tuple(found)


def _text(quoted: str) -> str:
    return quoted[1:-1].replace("''", "'").replace("\\'", "'")


def _split(name: str) -> tuple[str, str, str]:
    """What stands before the first dot outside of quotes, the dot, and the rest."""
    if name[0] in '`"':
        end = name.index(name[0], 1) + 1
        return name[:end], name[end : end + 1], name[end + 1 :]
    first, dot, rest = name.partition(".")
    return first.lower() if dot else first, dot, rest


def _unquoted(key: str) -> str:
    if len(key) >= 2 and key[0] == key[-1] and key[0] in '`"':
        return key[1:-1]
    return key


# ---- comparing ----


def _compare(value: Any, operator: str, wanted: Any) -> bool:
    match operator:
        case "=":
            return bool(value == wanted)
        case "!=":
            return bool(value != wanted)
        case ">":
            return bool(value > wanted)
        case ">=":
            return bool(value >= wanted)
        case "<":
            return bool(value < wanted)
        case "<=":
            return bool(value <= wanted)
        case "IN":
            return value in wanted
        case "NOT IN":
            return value not in wanted
    return _is_like(value, wanted, is_cased=operator == "LIKE")


def _is_like(value: str, pattern: str, *, is_cased: bool) -> bool:
    """`%` is any text and `_` any character. Without a regular expression: a pattern could make one take for ever."""
    if not is_cased:
        value, pattern = value.lower(), pattern.lower()
    first, *others = pattern.split("%")
    if not others:
        return len(value) == len(pattern) and _fits(value, pattern, 0)
    if not _fits(value, first, 0):
        return False
    position = len(first)
    *middle, last = others
    for part in middle:
        while not _fits(value, part, position):
            position += 1
            if position > len(value):
                return False
        position += len(part)
    return len(value) - len(last) >= position and _fits(value, last, len(value) - len(last))


def _fits(value: str, part: str, position: int) -> bool:
    if position + len(part) > len(value):
        return False
    if "_" not in part:
        return value.startswith(part, position)
    return all(sign in ("_", value[position + number]) for number, sign in enumerate(part))
