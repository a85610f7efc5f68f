"""How a type reads in a message: `float > 0`, `int | None`, `list[int]`, `'adam' or 'sgd'`."""

from enum import Enum
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from runyard.config.schema import union_members

_LIMITS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "multiple_of": "a multiple of"}
_LENGTHS = {"min_length": "at least", "max_length": "at most"}


def describe_type(annotation: Any) -> str:
    """Write a type and its limits as a user would say them."""
    if get_origin(annotation) is Annotated:
        bare, *extras = get_args(annotation)
        limits = [limit for extra in extras for limit in _limits(extra)]
        return " ".join([describe_type(bare), " and ".join(limits)]).strip()
    if isinstance(annotation, list):  # the arguments of a Callable
        return f"[{', '.join(describe_type(argument) for argument in annotation)}]"
    choices = choices_of(annotation)
    if choices is not None:
        return " or ".join(repr(choice) for choice in choices)
    members = union_members(annotation)
    if len(members) > 1:
        return " | ".join(describe_type(member) for member in members)
    return _plain_name(annotation)


def choices_of(annotation: Any) -> list[Any] | None:
    """Give the values of a Literal or an enum, None for every other type."""
    if get_origin(annotation) is Annotated:
        return choices_of(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return [member.value for member in annotation]
    return None


def _plain_name(annotation: Any) -> str:
    if annotation in (None, NoneType):
        return "None"
    if annotation is Ellipsis:
        return "..."
    arguments = get_args(annotation)
    name = getattr(get_origin(annotation) or annotation, "__name__", None) or str(annotation).removeprefix("typing.")
    if arguments:
        return f"{name}[{', '.join(describe_type(argument) for argument in arguments)}]"
    return str(name)


def _limits(extra: Any) -> list[str]:
    """Read the limits of one piece of metadata: annotated-types' Gt, Len … or pydantic's own carrier of them."""
    if isinstance(extra, FieldInfo):
        return [limit for inner in extra.metadata for limit in _limits(inner)]
    found = [f"{sign} {getattr(extra, name):g}" for name, sign in _LIMITS.items() if _number(extra, name)]
    lengths = [f"{word} {getattr(extra, name)} long" for name, word in _LENGTHS.items() if _number(extra, name)]
    pattern = getattr(extra, "pattern", None)
    return found + lengths + ([f"like {pattern}"] if isinstance(pattern, str) else [])


def _number(extra: Any, name: str) -> bool:
    return isinstance(getattr(extra, name, None), int | float)
