"""What a plan holds, line by line: dimensions, what was excluded and merged, and how many runs remain."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from runyard.config.cells import Choice, Written
from runyard.config.scalars import Scalar, Several, Single
from runyard.config.sweeps import Chain, Condition, Exclude, Grid, Product, Repeat, Sample, Sweep, When, Zip

_COUNT_ENDS_AT = 36  # column; longer keys push it to the right
_MOST_VALUES = 12


@dataclass(frozen=True)
class PreviewLine:
    """One line: what kind of step (`grid`, `excluded` …), of which keys, how many, and the values."""

    kind: str
    what: str
    count: str
    values: str = ""


@dataclass(eq=False)
class Preview:
    """The lines of a plan, in the order in which its sweep is written, and notes on what was decided."""

    lines: list[PreviewLine] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_muted: bool = False

    def add(self, kind: str, what: str, count: int | str, values: str = "") -> None:
        """Append a line."""
        if not self.is_muted:
            self.lines.append(PreviewLine(kind, what, str(count), values))

    def add_total(self, rows: int) -> None:
        """Append how many combinations there are so far, before the first line that takes some away."""
        if self.lines and self.lines[-1].kind not in ("excluded", "total", "duplicates", "repeat"):
            self.add("total", "", rows, "combinations" if rows != 1 else "combination")

    def note(self, text: str) -> None:
        """Append a remark, once."""
        if text not in self.notes:
            self.notes.append(text)


def format_lines(lines: Iterable[PreviewLine]) -> list[str]:
    """Lay the lines out in columns."""
    pieces = [(f"  {line.kind:<5} {line.what}" if line.kind != "total" else "", line) for line in lines]
    width = max([_COUNT_ENDS_AT, *(len(left) + len(line.count) + 1 for left, line in pieces)])
    return [_format(left, line, width) for left, line in pieces]


def describe_choice(choice: Choice) -> str:
    """Write one value of a dimension; a group of keys as `kind=sgd momentum=0.9`."""
    if len(choice) == 1:
        return show_short(next(iter(choice.values())).raw)
    return "{" + " ".join(f"{key.rsplit('.', 1)[-1]}={show_short(cell.raw)}" for key, cell in choice.items()) + "}"


def describe_condition(condition: Condition) -> str:
    """Write a condition as `model.patch=8 & optim.lr=0.01`."""
    if callable(condition):
        name = getattr(condition, "__name__", "")
        return "a condition" if name in ("", "<lambda>") else name
    return " & ".join(f"{written.key}={show_short(written.raw)}" for written in condition)


def describe_sweep(sweep: Sweep) -> str:
    """Write what a branch of `when` varies, in one line."""
    match sweep:
        case Grid() | Zip():
            return ", ".join(f"{written.key} {_values_of(written)}" for written in sweep.dimensions)
        case Sample():
            drawn = ", ".join(f"{written.key} {distribution}" for written, distribution in sweep.dimensions)
            return f"{sweep.count} draws of {drawn}"
        case Product():
            return f"{describe_sweep(sweep.first)} × {describe_sweep(sweep.second)}"
        case Chain():
            return "; ".join(describe_sweep(part) for part in sweep.parts)
        case When():
            return f"{describe_sweep(sweep.of)}, {describe_condition(sweep.condition)}: {describe_sweep(sweep.then)}"
        case Exclude():
            return f"{describe_sweep(sweep.of)} without {describe_condition(sweep.condition)}"
        case Repeat():
            return f"{describe_sweep(sweep.of)} × {sweep.times} seeds"
    return ""


def show_values(values: Iterable[str], *, between: str = " ") -> str:
    """Join values; a long list is cut and counted."""
    listed = list(values)
    shown = between.join(listed[:_MOST_VALUES])
    return shown if len(listed) <= _MOST_VALUES else f"{shown}{between}… ({len(listed)})"


def show_short(raw: Any) -> str:
    """Write a value without quotes, numbers short."""
    if isinstance(raw, Single):
        return show_short(raw.raw)
    if isinstance(raw, Scalar):
        return show_short(raw.value) if isinstance(raw.value, float | list | dict) else raw.text
    if isinstance(raw, float):
        return f"{raw:g}"
    if isinstance(raw, list | tuple):
        return "[" + ", ".join(show_short(item) for item in raw) + "]"
    return str(raw)


def _values_of(written: Written) -> str:
    raw = written.raw.items if isinstance(written.raw, Several) else written.raw
    return show_values(map(show_short, raw)) if isinstance(raw, list | tuple) else show_short(raw)


def _format(left: str, line: PreviewLine, width: int) -> str:
    text = left + line.count.rjust(width - len(left))
    if line.kind == "total":
        return f"{text} {line.values}"
    return f"{text}      {line.values}".rstrip()
