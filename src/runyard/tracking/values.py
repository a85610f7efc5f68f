"""What may be logged: names of series, steps, and numbers of any library, none of which is imported here.

A bad name or step is a mistake in the call itself: it is there at the first call, so it raises at once. A bad
value is a result of the computation and may turn up after ten hours: it costs a warning, never the training.
"""

import warnings
from collections.abc import Iterator, Mapping
from operator import index
from typing import Any

from runyard.errors import UsageError

MAX_NAME_LENGTH = 500
MIN_STEP, MAX_STEP = -(1 << 63), (1 << 63) - 1

_NO_NUMBERS = "cSUMm"  # NumPy's kinds: complex, bytes, text, datetime, timedelta; float() would take some of them


def check_name(name: object, *, what: str = "metric name") -> str:
    """Return `name` if it can name a series.

    Raises:
        UsageError: it is no text, empty, too long, or holds control characters.
    """
    if not isinstance(name, str):
        raise UsageError(f"A {what} must be text, not {_shown(name)}.")
    if not name:
        raise UsageError(f"A {what} must not be empty.")
    if len(name) > MAX_NAME_LENGTH:
        raise UsageError(
            f"The {what} {name[:40]!r}… has {len(name):,} characters; the longest has {MAX_NAME_LENGTH}. "
            "Put details into the config or a tag."
        )
    for character in name:
        if character < " " or "\x7f" <= character < "\xa0" or character in "\u2028\u2029":
            raise UsageError(f"The {what} {name!r} holds the control character {character!r}. Leave it out.")
        if "\ud800" <= character <= "\udfff":
            raise UsageError(f"The {what} {name!r} is no valid Unicode text.")
    return str(name)


def check_step(step: Any) -> int:  # Any: integers of any library
    """Return `step` as an int.

    Raises:
        UsageError: it is no whole number, or not within 64 bits.
    """
    try:
        number = int(step) if isinstance(step, float) and step.is_integer() else index(step)
    except TypeError:
        raise UsageError(f"A step must be a whole number, not {_shown(step)}. Try step=int(...).") from None
    if not MIN_STEP <= number <= MAX_STEP:
        raise UsageError(f"The step {number} does not fit into 64 bits.")
    return number


def number(value: Any) -> float:  # Any: numbers of any library
    """Return `value` as a float: Python's numbers, and scalars or arrays of one element of any library.

    Raises:
        TypeError: it is no number; the message says what it is instead.
    """
    if value is None or isinstance(value, str | bytes | bytearray | complex):
        raise TypeError(_shown(value))
    if getattr(getattr(value, "dtype", None), "kind", "f") in _NO_NUMBERS:
        raise TypeError(_shown(value))
    if getattr(value, "ndim", 0):
        size = value.numel() if callable(getattr(value, "numel", None)) else getattr(value, "size", 0)
        if size != 1:
            raise TypeError(f"an array of shape {tuple(getattr(value, 'shape', ()))}, not one number")
    try:
        return _as_float(value)
    except Exception:  # whatever a foreign __float__ raises: the value cannot be had as a number
        raise TypeError(_shown(value)) from None


def flatten(metrics: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[Any, Any]]:
    """Nested mappings as one level, the names joined by "/"."""
    for key, value in metrics.items():
        name = f"{prefix}{key}" if prefix else key
        if isinstance(value, Mapping):
            yield from flatten(value, f"{check_name(name)}/")
        else:
            yield name, value


def _as_float(value: Any) -> float:
    if getattr(value, "ndim", 0):
        value = value.item()
    if not getattr(value, "requires_grad", False):
        return float(value)
    with warnings.catch_warnings():  # PyTorch warns once in a process that a loss still has its graph; here it is meant
        warnings.simplefilter("ignore")
        return float(value)


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # a broken __repr__ of the user's must not hide the complaint
        text = "something"
    return f"{text if len(text) <= 60 else text[:59] + '…'} ({type(value).__name__})"
