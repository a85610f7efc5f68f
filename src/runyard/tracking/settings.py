"""Settings as a run keeps them: JSON-like, whatever objects a library puts among its parameters.

One rule for all of them: what JSON can hold stays. What stands for a few numbers (a scalar or a small array of any
library), for a mapping (a model of pydantic, a dataclass), or for a text (a path, a date, an enum) becomes that. An
object with a short text of its own is told by it, anything else by the name of its type: an address in memory, or
the ten thousand weights of an array, would make two equal runs differ.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

import msgspec

from runyard.errors import UsageError

_MOST_NUMBERS = 1_000  # of an array
_MOST_CHARACTERS = 1_000  # of an object's text


def dotted(settings: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted name, plain; an empty section stays, as one.

    Raises:
        UsageError: a name is no text, or empty.
    """
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if not isinstance(name, str) or not name:
            raise UsageError(f"A setting's name is text that is not empty, not {name!r} below {prefix or 'the top'!r}.")
        if isinstance(value, Mapping) and value:
            found |= dotted(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = plain(value)
    return found


def plain(value: Any) -> Any:
    """What stands for a value among settings: text, numbers, truth values, None, and lists and mappings of them.

    It never raises, and gives the same for equal values in every process.
    """
    try:
        return _plain(value, ())
    except RecursionError:  # nobody reads a thousand levels
        return type(value).__qualname__


def _plain(value: Any, around: tuple[int, ...]) -> Any:
    if value is None or type(value) in (bool, int, float, str):
        return value
    if id(value) in around:  # a list that holds itself
        return type(value).__qualname__
    around = (*around, id(value))
    if isinstance(value, Mapping):
        return {str(name): _plain(entry, around) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry, around) for entry in value]
    if isinstance(value, set | frozenset):
        return sorted((_plain(entry, around) for entry in value), key=str)
    try:
        return _of_foreign(value, around)
    except Exception:  # whatever a foreign object raises when it is looked at
        return type(value).__qualname__


def _of_foreign(value: Any, around: tuple[int, ...]) -> Any:
    if isinstance(value, Enum):
        return _plain(value.value, around)
    for basic in (str, int, float):
        if isinstance(value, basic):
            return basic(value)  # of a subclass: what it is without the rest
    if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")):
        return value.__qualname__
    if callable(getattr(value, "model_dump", None)):
        return _plain(value.model_dump(), around)
    if callable(getattr(value, "tolist", None)):  # an array or a scalar
        shape = tuple(getattr(value, "shape", ()))
        count = 1
        for length in shape:
            count *= length
        return value.tolist() if count <= _MOST_NUMBERS else f"{type(value).__qualname__} of shape {shape}"
    if callable(getattr(value, "item", None)):
        return _plain(value.item(), around)
    if fields := getattr(type(value), "__dataclass_fields__", None):
        return {name: _plain(getattr(value, name, None), around) for name in fields}
    try:
        found = msgspec.to_builtins(value, str_keys=True)  # dates and the like
    except (TypeError, ValueError):
        return _text(value)
    return found if isinstance(found, str) else _plain(found, around)


def _text(value: Any) -> str:
    kind = type(value)
    has_own = any(name in vars(base) for base in kind.__mro__[:-1] for name in ("__str__", "__repr__"))
    text = str(value) if has_own else ""
    return text if text and len(text) <= _MOST_CHARACTERS and " at 0x" not in text else kind.__qualname__
