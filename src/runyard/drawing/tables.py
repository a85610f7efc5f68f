"""Tables for notebooks: HTML that is small, reads in light and dark, and in which every text is only text.

A notebook keeps what it shows, mails it and commits it. So long texts and long tables are cut, and there is no script,
no style sheet and no reference to anything outside.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape

MOST_ROWS = 20
MOST_COLUMNS = 12
MOST_CHARACTERS = 160

_CLASSES = "tex2jax_ignore mathjax_ignore"  # or a notebook takes what stands between two $ for a formula
_UNSEEN = {code: "·" for code in (*range(9), *range(11, 32), *range(0x7F, 0xA0), *range(0x202A, 0x202F)) if code != 13}
_UNSEEN |= dict.fromkeys(range(0x2066, 0x206A), "·")  # as above: what turns a text around, and says another one


def table(head: Sequence[object], rows: Sequence[Sequence[object]], *, left: int = 0, what: str = "") -> str:
    """A table of texts and numbers.

    Args:
        head: what stands above each column; may be empty.
        rows: the first `MOST_ROWS` are shown, of each the first `MOST_COLUMNS` cells.
        left: how many more rows there are that were not even handed over.
        what: the noun of a row, for the sentence about those that are not shown: "runs".
    """
    shown = rows[:MOST_ROWS]
    left += len(rows) - len(shown)
    columns = max((len(row) for row in (head, *shown)), default=0)
    parts = [f'<table class="{_CLASSES}" style="color:inherit">']
    if head:
        parts.append(f"<thead><tr>{''.join(_cell('th', each) for each in head[:MOST_COLUMNS])}</tr></thead>")
    body = "".join(f"<tr>{''.join(_cell('td', each) for each in row[:MOST_COLUMNS])}</tr>" for row in shown)
    parts.append(f"<tbody>{body}</tbody></table>")
    unseen = [f"{left:,} more {what}".rstrip()] if left else []
    unseen += [f"{columns - MOST_COLUMNS:,} more columns"] if columns > MOST_COLUMNS else []
    return "".join(parts) + (paragraph(f"… and {' and '.join(unseen)}") if unseen else "")


def facts(title: str, pairs: Mapping[str, object], *, left: int = 0) -> str:
    """A title, and below it names with their values; empty values are left out."""
    kept = [(name, value) for name, value in pairs.items() if value not in ("", None)]
    return paragraph(title, is_strong=True) + (table((), kept, left=left, what="values") if kept else "")


def paragraph(text: str, *, is_strong: bool = False) -> str:
    """A line of text."""
    inner = f"<strong>{escaped(text)}</strong>" if is_strong else escaped(text)
    return f'<div class="{_CLASSES}">{inner}</div>'


def escaped(value: object) -> str:
    """Any value as text of HTML: cut, without control characters, and valid wherever it is sent."""
    return escape(cleaned(value))


def cleaned(value: object, most: int = MOST_CHARACTERS) -> str:
    """The same before it becomes HTML, in at most `most` characters."""
    text = number(value) if isinstance(value, float) else str(value)
    if len(text) > most:
        text = text[: most - 1] + "…"
    return text.translate(_UNSEEN).encode("utf-8", "replace").decode()


def number(value: float) -> str:
    """A number in about four digits; whole numbers whole."""
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "-∞"}.get(value, "NaN")
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e6 else f"{value:.4g}"


def _cell(tag: str, value: object) -> str:
    side = "right" if isinstance(value, int | float) and not isinstance(value, bool) else "left"
    return f'<{tag} style="text-align:{side}">{escaped(value)}</{tag}>'
