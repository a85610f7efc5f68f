"""Tables: fitted to the terminal for people; aligned and with all columns for pipes. Programs read `--json`."""

from collections.abc import Sequence
from dataclasses import dataclass
from unicodedata import combining, east_asian_width

from runyard.cli import screen

_GAP = "  "
_NARROWEST = 8  # a column of text is cut to this before a whole column is left out
_LONGEST_IN_PIPE = 100
_MARK = "…"


@dataclass(frozen=True)
class Column:
    """A heading; `is_vital` columns are never left out, however narrow the terminal is."""

    title: str
    is_right: bool = False
    is_vital: bool = False


@dataclass(frozen=True)
class Cell:
    """Text of anybody, and a colour of ours."""

    text: str
    colour: str = ""


@dataclass(frozen=True)
class Fitted:
    """Lines to print, and the titles of the columns for which there was no room."""

    lines: list[str]
    left_out: list[str]


def lay_out(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], *, width: int | None) -> Fitted:
    """Align a table; `width` None leaves out no column and cuts only what nobody can read in a line."""
    titles = [screen.plain(column.title) for column in columns]
    longest = width or _LONGEST_IN_PIPE
    texts = [[cut(screen.plain(cell.text), longest) for cell in row] for row in rows]
    widths = [max([cells(titles[i]), *(cells(row[i]) for row in texts)]) for i in range(len(columns))]
    kept = list(range(len(columns)))
    if width is not None:
        kept = _fit(columns, titles, widths, width)
    lines = [_line([screen.paint(_pad(titles[i], widths[i], columns[i].is_right), "bold") for i in kept])]
    if width is not None:
        lines.append(screen.paint("─" * min(width, sum(widths[i] for i in kept) + len(_GAP) * (len(kept) - 1)), "dim"))
    for row, text in zip(rows, texts, strict=True):
        padded = [_pad(text[i], widths[i], columns[i].is_right) for i in kept]
        if row and not columns[kept[-1]].is_right:
            padded[-1] = padded[-1].rstrip()
        lines.append(_line([screen.paint(part, row[i].colour) for part, i in zip(padded, kept, strict=True)]))
    return Fitted(lines, [titles[i] for i in range(len(columns)) if i not in kept])


def show(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    """Print a table: fitted to a terminal, whole into a pipe."""
    fitted = lay_out(columns, rows, width=screen.width() if screen.is_terminal() else None)
    for line in fitted.lines:
        screen.say(line)
    if fitted.left_out:
        names = ", ".join(fitted.left_out)
        screen.remark(f"No room for: {names}. `--columns` chooses, a wider terminal shows all.")


def show_pairs(pairs: Sequence[tuple[str, str]], *, indent: str = "  ") -> None:
    """Print names and values below each other; the values may hold our colours."""
    longest = max((cells(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        screen.say(f"{indent}{screen.paint(_pad(screen.plain(name), longest, False), 'dim')}  {value}".rstrip())


def cells(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


def cut(text: str, width: int) -> str:
    """At most `width` columns of a text, with a mark where something is missing."""
    if cells(text) <= width:
        return text
    while text and cells(text) > width - 1:
        text = text[: min(len(text) - 1, width - 1)] if text.isascii() else text[:-1]
    return text + _MARK if width > 0 else ""


def _fit(columns: Sequence[Column], titles: list[str], widths: list[int], width: int) -> list[int]:
    """Narrow the widest text columns first; then leave out columns from the right. Changes `widths`."""
    kept = list(range(len(columns)))

    def excess() -> int:
        return sum(widths[i] for i in kept) + len(_GAP) * (len(kept) - 1) - width

    while excess() > 0:
        soft = [i for i in kept if not columns[i].is_right and widths[i] > max(_NARROWEST, cells(titles[i]))]
        if soft and sum(widths[i] - max(_NARROWEST, cells(titles[i])) for i in soft) >= excess():
            widths[max(soft, key=lambda i: widths[i])] -= 1
            continue
        dispensable = [i for i in kept if not columns[i].is_vital]
        if not dispensable:
            break
        kept.remove(dispensable[-1])
    return kept


def _pad(text: str, width: int, is_right: bool) -> str:
    text = cut(text, width)
    space = " " * (width - cells(text))
    return space + text if is_right else text + space


def _line(parts: list[str]) -> str:
    return _GAP.join(parts).rstrip()
