"""From what was written to a value of the field's type.

Text of the command line is read generously (`yes` is a bool, `1e3` an int); values of YAML and Python
strictly: a bool is no int, a text no number. `show_raw` writes the culprit into the message.
"""

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import NoneType
from typing import Any, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from runyard.config.scalars import Scalar, Several, Single, show_raw
from runyard.config.schema import Leaf, is_model, strip_annotated, union_members
from runyard.config.suggestions import did_you_mean
from runyard.config.typenames import choices_of, describe_type

_TRUTHS = {"true", "false", "yes", "no", "on", "off", "1", "0"}

_LIMIT_ERRORS = {  # the type is right, so the message names the limit too
    *("greater_than", "greater_than_equal", "less_than", "less_than_equal", "multiple_of", "finite_number"),
    *("string_too_short", "string_too_long", "string_pattern_mismatch", "too_short", "too_long"),
}


class BadValue(Exception):
    """A value does not fit its field; each of its arguments continues `'key': …`."""


def decode(leaf: Leaf, raw: Any, *, is_text: bool) -> Any:
    """Turn what was written into a value of the field's type.

    Args:
        leaf: the field.
        raw: a Python value, or a tree of scalars from YAML or a token; one value, no sweep.
        is_text: it comes from a command line and is read generously.

    Raises:
        BadValue: it does not fit.
    """
    raw = raw.raw if isinstance(raw, Single) else raw
    shaped = _shape(leaf.annotation, raw, is_text)
    try:
        return _check(leaf.adapter, shaped, is_text)
    except ValidationError as error:
        raise BadValue(_complaint(leaf, raw, error)) from None


def fits(leaf: Leaf, raw: Any, *, is_text: bool) -> bool:
    """Say whether a value fits a field."""
    try:
        decode(leaf, raw, is_text=is_text)
    except BadValue:
        return False
    return True


def plain_python(raw: Any) -> Any:
    """Unpack NumPy scalars and arrays, ranges and tuples of a Python sweep; all else stays."""
    if hasattr(raw, "tolist") and hasattr(raw, "dtype"):
        return raw.tolist()
    if isinstance(raw, range):
        return list(raw)
    return raw


def without_scalars(raw: Any) -> Any:
    """Read a tree of scalars by YAML's rules alone, for places that have no field's type."""
    if isinstance(raw, Scalar):
        return without_scalars(raw.value) if isinstance(raw.value, list | dict) else raw.value
    if isinstance(raw, Single):
        return without_scalars(raw.raw)
    if isinstance(raw, Several | list | tuple):
        return [without_scalars(item) for item in (raw.items if isinstance(raw, Several) else raw)]
    if isinstance(raw, Mapping):
        return {key: without_scalars(item) for key, item in raw.items()}
    return raw


def _check(adapter: TypeAdapter[Any], shaped: Any, is_text: bool) -> Any:
    try:
        return adapter.validate_python(shaped, strict=True)
    except ValidationError as error:
        first = error
    try:  # a list for a tuple, a text for a path, a date or an enum: what JSON cannot say otherwise
        return adapter.validate_json(json.dumps(shaped), strict=True)
    except (ValidationError, TypeError, ValueError):
        if is_text:
            return adapter.validate_python(shaped)
    raise first


def _shape(annotation: Any, raw: Any, is_text: bool) -> Any:
    """Decide for each scalar between its text and its reading, by the type at its place."""
    bare = strip_annotated(annotation)
    if isinstance(raw, Scalar):
        return _shape_scalar(bare, raw, is_text)
    if isinstance(raw, list):
        return [_shape(kind, item, is_text) for kind, item in zip(_item_types(bare, len(raw)), raw, strict=True)]
    if isinstance(raw, Mapping):
        return {key: _shape(_value_type(bare, key), item, is_text) for key, item in raw.items()}
    return raw


def _shape_scalar(bare: Any, scalar: Scalar, is_text: bool) -> Any:
    members = union_members(bare)
    if len(members) > 1:
        return _shape_union(members, scalar, is_text)
    choices = choices_of(bare)
    if choices is not None:
        return scalar.text if scalar.text in choices else scalar.value
    if isinstance(scalar.value, list | dict) and bare is not str:
        return _shape(bare, scalar.value, is_text)
    if isinstance(bare, type) and issubclass(bare, bool | int | float) and not is_text:
        return scalar.value
    if bare is bool:
        return scalar.text.lower() if scalar.text.lower() in _TRUTHS else scalar.value
    if bare in (int, float):  # the text of a bool, so that pydantic does not make a 1 of it
        return scalar.text if isinstance(scalar.value, bool | str) else scalar.value
    if bare is NoneType:
        return None if is_text and scalar.text in ("none", "None") else scalar.value
    if bare in (Any, object, list, dict) or get_origin(bare) is not None or is_model(bare):
        return scalar.value
    return scalar.text  # str, Path, datetime and the like are written as text


def _shape_union(members: list[Any], scalar: Scalar, is_text: bool) -> Any:
    """Take the first member that fits; None before all, plain text after all."""
    ranked = sorted(members, key=lambda member: (member is not NoneType, strip_annotated(member) is str))
    for member in ranked:
        shaped = _shape_scalar(strip_annotated(member), scalar, is_text)
        try:
            return _check(_adapter(member), shaped, is_text)
        except ValidationError:
            continue
    return scalar.value


@lru_cache(maxsize=1024)
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)


def _item_types(bare: Any, length: int) -> Iterable[Any]:
    for member in union_members(bare):
        arguments = get_args(strip_annotated(member))
        origin = get_origin(strip_annotated(member))
        if origin is tuple and Ellipsis not in arguments:
            return arguments if len(arguments) == length else [Any] * length
        if origin is not None and isinstance(origin, type) and issubclass(origin, Iterable) and arguments:
            return [arguments[0]] * length
    return [Any] * length


def _value_type(bare: Any, key: str) -> Any:
    for member in union_members(bare):
        inner = strip_annotated(member)
        if is_model(inner) and key in inner.model_fields:
            return inner.model_fields[key].annotation
        origin = get_origin(inner)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return get_args(inner)[1]
    return Any


def _complaint(leaf: Leaf, raw: Any, error: ValidationError) -> str:
    own_words = [entry["msg"] for entry in error.errors() if entry["type"] in ("value_error", "assertion_error")]
    if own_words:
        return f"{show_raw(raw)} is refused: {own_words[0].split(', ', 1)[-1]}"
    choices = choices_of(leaf.annotation)
    if choices is None:
        is_limit = all(entry["type"] in _LIMIT_ERRORS for entry in error.errors())
        return f"{show_raw(raw)} is no {describe_type(leaf.annotation if is_limit else leaf.bare)}"
    listed = ", ".join(repr(choice) for choice in choices)
    written = raw.text if isinstance(raw, Scalar) else str(raw)
    only = f"{show_raw(raw)} is none of {listed}" if len(choices) > 1 else f"{show_raw(raw)} is not {listed}"
    return only + did_you_mean(written, [str(choice) for choice in choices])


def is_block_value(raw: Any) -> bool:
    """Say whether a value can be the content of a block: a mapping or a config."""
    return isinstance(raw, Mapping | BaseModel)
