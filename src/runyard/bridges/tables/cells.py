"""Values as cells of CSV, and back without loss.

Numbers, truths and lists stand as in JSON, texts as they are; a text that would be read as something else stands in
the quotes of JSON. A text that a spreadsheet would take for a formula gets an apostrophe in front, which reading takes
away. An empty cell holds no value.
"""

import json
import math
import re
from typing import Any

from runyard.formulas import STARTS, unguarded

_WORDS: dict[str, Any] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "None"), None),
    **dict.fromkeys(("NaN", "nan", "NAN"), math.nan),
    **dict.fromkeys(("Infinity", "inf", "Inf", "INF"), math.inf),
    **dict.fromkeys(("-Infinity", "-inf", "-Inf", "-INF"), -math.inf),
}
_INT = re.compile(r"[-+]?[0-9]{1,4000}")  # longer ones Python refuses
_FLOAT = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_APOSTROPHE = "'"


def to_cell(value: Any) -> str:
    """The cell of a value that JSON can hold, NaN and infinities included; None is the word, not an empty cell."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return _text(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def from_cell(cell: str) -> Any:
    """The value of a cell that is not empty."""
    if cell in _WORDS:
        return _WORDS[cell]
    if _INT.fullmatch(cell):
        return int(cell)
    if _FLOAT.fullmatch(cell):
        return float(cell)
    if cell.startswith(('"', "[", "{")):
        try:
            return json.loads(cell)
        except (ValueError, RecursionError):
            return cell
    return unguarded(cell)


def number_in(cell: str) -> float | None:
    """The number in a cell of a metric; None if it holds none."""
    value = from_cell(cell.strip())
    return float(value) if isinstance(value, bool | int | float) and _fits(value) else None


def _fits(value: float) -> bool:
    try:
        float(value)
    except OverflowError:
        return False
    return True


def _number(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _text(text: str) -> str:
    cell = _APOSTROPHE + text if text.startswith(STARTS) else text
    back = from_cell(cell) if cell else None
    return cell if isinstance(back, str) and back == text else json.dumps(text, ensure_ascii=False)
