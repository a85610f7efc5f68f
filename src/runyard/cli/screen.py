"""What reaches the terminal.

Names, tags, notes, configs and output are text of users: it is shown, never obeyed. Control characters
(a terminal executes them) and marks that reverse the direction of writing become visible escapes, and
no text is ever read as markup.
"""

import os
import re
import shutil
import sys
from typing import TextIO

_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL and C1: escape sequences begin here
    "\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff"  # invisible, or change the direction of writing
    "\ud800-\udfff\U000e0000-\U000e007f]"  # halves of a character; invisible tags
)
_COLOURING = re.compile(r"\x1b\[[0-9;:]{0,40}m")  # SGR: colour, bold …; harmless, unlike all other sequences
_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: moves the cursor, clears, …
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|\x9c|$)"  # OSC, DCS and others: titles, links, the clipboard
    r"|\x1b[ -/]*[0-~]?"  # two and three characters
    r"|\x9b[0-?]*[ -/]*[@-~]"
)

CODES = {
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
    "dim": "2",
    "bold": "1",
}

STATE_COLOURS = {
    "QUEUED": "blue",
    "HELD": "magenta",
    "RUNNING": "cyan",
    "COMPLETED": "green",
    "FAILED": "red",
    "OUT_OF_MEMORY": "red",
    "TIMED_OUT": "yellow",
    "STOPPED": "yellow",
    "INTERRUPTED": "yellow",
    "LOST": "yellow",
}


def plain(text: object) -> str:
    """Any text as one line that a terminal only shows."""
    return _CONTROL.sub(_visible, str(text))


def plain_lines(text: str) -> list[str]:
    """Text of several lines, each as `plain` gives it; tabs become spaces."""
    return [plain(line.expandtabs(4)) for line in text.replace("\r\n", "\n").split("\n")]


def coloured_output(text: str) -> str:
    """What a training printed, for a terminal: colours stay, all other escape sequences go."""
    parts = []
    end = 0
    for match in _COLOURING.finditer(text):
        parts += [uncoloured_output(text[end : match.start()]), match.group()]
        end = match.end()
    return "".join([*parts, uncoloured_output(text[end:])])


def uncoloured_output(text: str) -> str:
    """What a training printed, for a file or a pipe: no escape sequences, lines and tabs kept."""
    return re.sub(r"[^\n\t]+", lambda match: plain(match.group()), _SEQUENCE.sub("", text))


def is_terminal(stream: TextIO | None = None) -> bool:
    """Whether a person looks at `stream` (stdout)."""
    return (stream or sys.stdout).isatty() and os.environ.get("TERM") != "dumb"


def wants_colour(stream: TextIO | None = None) -> bool:
    """Whether colours are welcome: on a terminal, unless NO_COLOR is set; always if FORCE_COLOR is."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or is_terminal(stream)


def paint(text: str, colour: str, stream: TextIO | None = None) -> str:
    """`text` in a colour of CODES, if colours are welcome."""
    return f"\x1b[{CODES[colour]}m{text}\x1b[0m" if colour and wants_colour(stream) else text


def paint_state(state: str) -> str:
    """A run's state in its colour."""
    return paint(plain(state), STATE_COLOURS.get(state, ""))


def width() -> int:
    """Columns of the terminal; 100 for a pipe."""
    return shutil.get_terminal_size((100, 24)).columns


def say(text: str = "") -> None:
    """One line for the user."""
    sys.stdout.write(text + "\n")


def remark(text: str) -> None:
    """One line beside the result, so that a pipe holds the result alone."""
    sys.stdout.flush()
    sys.stderr.write(paint(text, "dim", sys.stderr) + "\n")


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x100:
        return {9: "\\t", 10: "\\n", 13: "\\r"}.get(code, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def database_problem(error: Exception) -> str:
    """What to tell if an error comes from a database that cannot be used; empty for any other error."""
    if not type(error).__module__.startswith(("sqlalchemy", "sqlite3")):
        return ""
    from runyard.database import explain  # late: commands that need no database do not load it

    return explain(error)
