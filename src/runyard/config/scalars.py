"""Values as they were written: a text whose type is not decided yet, and the marks `sweep()` and `value()`.

`no`, `1.10` and `1e-3` mean different things for a text field and for a number field. So a scalar
keeps its text beside its YAML 1.2 reading until the field's type is known.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from typing import Any

_INT = re.compile(r"[-+]?[0-9]+")
_OTHER_INT = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **{sign + word: float(sign + "inf") for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")},
}


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text without quotes, and how YAML 1.2 reads it; the field's type decides between the two."""

    text: str
    value: Any

    def __repr__(self) -> str:
        return repr(self.text) if isinstance(self.value, str) else self.text or "''"


@dataclass(frozen=True, slots=True)
class Several:
    """Certainly several values; made by `sweep([...])` and `!sweep [...]`."""

    items: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Single:
    """Certainly one value, even if it is a list; made by `value([...])` and `!value [...]`."""

    raw: Any


def sweep(values: Iterable[Any]) -> Several:
    """Mark a list as several values to try, whatever the type of the field."""
    return Several(tuple(values))


def value(single: Any) -> Single:
    """Mark a list as one value, whatever the type of the field."""
    return Single(single)


def read_scalar(text: str) -> Scalar:
    """Read a text by the core schema of YAML 1.2: `1e-3` is a number, `no` and `12:30` are texts."""
    if text in _WORDS:
        return Scalar(text, _WORDS[text])
    if _INT.fullmatch(text):
        return Scalar(text, int(text))
    if _OTHER_INT.fullmatch(text):
        return Scalar(text, int(text, 0))
    if _FLOAT.fullmatch(text):
        return Scalar(text, float(text))
    return Scalar(text, text)


def show_raw(raw: Any) -> str:
    """Write a value as the user wrote it, for messages."""
    if isinstance(raw, Single):
        return show_raw(raw.raw)
    if isinstance(raw, Several):
        return show_raw(list(raw.items))
    if isinstance(raw, list | tuple):
        return "[" + ", ".join(show_raw(item) for item in raw) + "]"
    if isinstance(raw, dict):
        return "{" + ", ".join(f"{key}: {show_raw(item)}" for key, item in raw.items()) + "}"
    return repr(raw)


def setting(text: str) -> Any:
    """A text of another tracker as a config has it: numbers, truths and None as what they are, all else as text."""
    if text == "None":
        return None
    value = read_scalar(text).value if text else text
    is_odd = isinstance(value, float) and not isfinite(value)  # no JSON has a place for it
    is_large = isinstance(value, int) and abs(value) >= 2**63
    return text if is_odd or is_large else value
