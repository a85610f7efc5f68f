"""Reading requests: a table of fields for each endpoint, and the messages that clients' tests know.

As in protocol buffers, an unknown field is ignored, a whole number may come as digits, and an empty text counts as
missing where one is required. If one field has the wrong type, all are held against their types.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl

import msgspec

from runyard.server.mlflow.errors import BAD_REQUEST, MlflowError, invalid_value, missing_value

Kind = Literal["text", "int", "float", "bool", "enum", "list", "map"]
LARGEST_INT = 2**63 - 1
_LARGEST_FLOAT = 1.7976931348623157e308
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf, "nan": math.nan, "inf": math.inf}
_MOST_PARAMETERS = 2000


@dataclass(frozen=True)
class Field:
    """One parameter. `of`: of a list or a map the fields of its members; empty: texts."""

    kind: Kind = "text"
    is_required: bool = False
    may_be_empty: bool = False  # of a text that is required
    of: Mapping[str, "Field"] = field(default_factory=dict)


Form = Mapping[str, Field]

TEXT = Field()
NEEDED = Field(is_required=True)
SAID = Field(is_required=True, may_be_empty=True)
INT = Field("int")
TEXTS = Field("list")
PAIRS = Field("list", of={"key": TEXT, "value": TEXT})


def parsed(body: bytes) -> dict[str, Any]:
    """The JSON object of a body; nothing counts as an empty one.

    Raises:
        MlflowError: it is none.
    """
    if not body.strip():
        return {}
    try:
        document = msgspec.json.decode(body)
        if isinstance(document, str):  # old clients encode twice
            document = msgspec.json.decode(document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        document = _with_words(body)
    if not isinstance(document, dict):
        raise MlflowError("The body of a request must be a JSON object.", BAD_REQUEST)
    return document


def queried(query: bytes, form: Form) -> dict[str, Any]:
    """The parameters of an address; a list is a key that comes several times."""
    found: dict[str, Any] = {}
    try:
        pairs = parse_qsl(query.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        raise MlflowError(f"A request has at most {_MOST_PARAMETERS} parameters.") from None
    for name, value in pairs:
        known = form.get(name)
        if known is not None and known.kind == "list":
            found.setdefault(name, []).append(value)
        elif known is not None and known.kind == "bool" and value.lower() in ("true", "false"):
            found[name] = value.lower() == "true"
        else:
            found[name] = value
    return found


def read(document: Mapping[str, Any], form: Form) -> dict[str, Any]:
    """The known fields that are there, with their types: numbers as numbers, members of lists likewise.

    Raises:
        MlflowError: one is missing or of another type; the first that is wrong is named.
    """
    if "run_uuid" in document and document.get("run_id") is None and "run_id" in form:
        document = {**document, "run_id": document["run_uuid"]}
    return _read(document, form, "")


def _read(document: Mapping[str, Any], form: Form, place: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, known in form.items():
        value = document.get(name)
        if value is None or value == "":
            if known.is_required and (value is None or not known.may_be_empty):
                raise missing_value(place + name)
            if value is None:
                continue
        found[name] = _value(value, known, place + name)
    return found


def _value(value: Any, known: Field, place: str) -> Any:
    kind = type(value)
    match known.kind:
        case "text" if kind is str:
            if "\0" in value or not _is_text(value):
                raise invalid_value(place, value, "It holds characters that no text has.")
            return value
        case "int":
            return _int(value, place)
        case "float":
            return _float(value, place)
        case "bool" if kind is bool:
            return value
        case "enum" if kind in (str, int):
            return int(value) if kind is str and value.isdigit() and len(value) < 4 else value
        case "list" if kind is list:
            return [_member(each, known, f"{place}[{number}]") for number, each in enumerate(value)]
        case "map" if kind is dict:
            return _read(value, known.of, f"{place}.")
    raise invalid_value(place, value, f"Hint: Value was of type '{kind.__name__}'.")


def _member(value: Any, known: Field, place: str) -> Any:
    if not known.of:
        return _value(value, TEXT, place)
    if not isinstance(value, dict):
        raise invalid_value(place, value, f"Hint: Value was of type '{type(value).__name__}'.")
    return _read(value, known.of, f"{place}.")


def _int(value: Any, place: str) -> int:
    number = value
    if isinstance(value, str):
        digits = value.strip().removeprefix("-")
        number = int(value) if digits.isascii() and digits.isdigit() and len(digits) <= 20 else None
    elif isinstance(value, float):
        number = int(value) if value.is_integer() and abs(value) < LARGEST_INT else None
    if type(number) is not int or not -LARGEST_INT - 1 <= number <= LARGEST_INT:
        raise invalid_value(place, value, f"Hint: Value was of type '{type(value).__name__}'.")
    return number


def _float(value: Any, place: str) -> float:
    if type(value) is float:
        return value
    try:
        if isinstance(value, str):
            return _WORDS[value] if value in _WORDS else float(value)
        if type(value) is int:
            return float(value)
    except (ValueError, OverflowError):
        pass
    raise invalid_value(place, value, f"Hint: Value was of type '{type(value).__name__}'.")


def number(value: float) -> Any:
    """A float as an answer has it: JSON knows no NaN, and MLflow no infinity."""
    if value != value:
        return "NaN"
    return max(-_LARGEST_FLOAT, min(value, _LARGEST_FLOAT))


def pairs(entries: Mapping[str, str]) -> list[dict[str, str]]:
    """Names and texts as a list of keys and values."""
    return [{"key": key, "value": value} for key, value in entries.items()]


def one_of(document: Mapping[str, Any], name: str, choices: Sequence[str], default: str) -> str:
    """The value of an enum, which may come as its name or, from old clients, as its number counted from 1."""
    value = document.get(name)
    if value is None:
        return default
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= len(choices):
        return choices[value - 1]
    if value in choices:
        return str(value)
    raise invalid_value(name, value, f"It is one of {', '.join(choices)}.")


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a pair of surrogates
        return False
    return True


def _with_words(body: bytes) -> Any:
    """JSON with NaN and infinities, as Python's own encoder writes them."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise MlflowError("The body of the request is no JSON.", BAD_REQUEST) from None
