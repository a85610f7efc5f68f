"""`make picture`: docs/images/demo.svg, from what `make demo` really shows on a terminal.

The demo runs on a terminal of its own. Its screen is kept as it was when about half of the grid was done, and the
leaderboard at the end. The SVG asks for nothing from outside: no fonts, no scripts.
"""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

HERE = Path(__file__).resolve().parent
PICTURE = HERE.parent / "docs" / "images" / "demo.svg"
WIDTH, HEIGHT = 104, 40
GRID = 36
WORK, BEST, DIFF = "$ python run.py work", "$ runyard best", "What is different"

# Rich's own format, without the fonts that it would fetch from a server
SVG = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font: {char_height}px/{line_height}px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
}}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
<rect fill="#17191e" width="{width}" height="{height}" rx="8" />
<g transform="translate({terminal_x}, 28)" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


class Screen:
    """As much of a terminal as the live table needs: lines that are written, cleared and returned to."""

    def __init__(self) -> None:
        self.lines = [""]
        self._row = 0

    def feed(self, text: str) -> None:
        """Show what a program has written."""
        for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
            if part == "\n":
                self._row += 1
                self.lines += [""] * (self._row + 1 - len(self.lines))
            elif part.endswith("A") and part.startswith("\x1b["):
                self._row = max(0, self._row - int(part[2:-1] or 1))
            elif part == "\x1b[2K":
                self.lines[self._row] = ""
            elif part != "\r" and (part.endswith("m") or not part.startswith("\x1b")):
                self.lines[self._row] += part

    def between(self, first: str, end: str | None = None) -> list[str]:
        """The lines from the one that begins with `first` up to the one that begins with `end`."""
        plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in self.lines]
        start = next((row for row, line in enumerate(plain) if line.startswith(first)), len(plain))
        stop = next((row for row, line in enumerate(plain) if end and row > start and line.startswith(end)), len(plain))
        return self.lines[start:stop]


def main() -> int:
    """Run the demo and draw it."""
    screen = Screen()
    middle: list[str] = []
    best_score = (0, 0)
    for text in output_of([sys.executable, str(HERE / "demo.py")]):
        screen.feed(text)
        now = screen.between(WORK)
        done = re.search(rf"(\d+) of {GRID} done", "\n".join(now))
        if done and GRID / 2 <= int(done[1]) <= GRID * 2 / 3:
            bars = len(re.findall(r"[1-9]\d? %", "\n".join(now)))
            score = (len(now), bars)  # a shorter one is half drawn
            if score > best_score:
                middle, best_score = now, score
    best = screen.between(BEST, DIFF)
    if not middle or not best:
        print("The demo has not shown what the picture needs.", file=sys.stderr)
        return 1
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(drawn([*stripped(middle), "", *stripped(best)]), encoding="utf-8")
    print(f"{PICTURE} was drawn, {PICTURE.stat().st_size / 1000:.0f} kB.")
    return 0


def output_of(command: list[str]) -> Iterator[str]:
    """Execute a command on a terminal; what it writes, as it comes."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONUTF8": "1"}
    for name in ("NO_COLOR", "COLUMNS", "LINES"):
        environment.pop(name, None)
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    waiting = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # Linux: nobody has the other end open any more
            piece = b""
        if not piece:
            break
        whole, line_end, waiting = (waiting + piece).rpartition(b"\n")  # a sequence may be cut anywhere
        yield (whole + line_end).decode(errors="replace")
    os.close(ours)
    if process.wait():
        raise SystemExit(process.returncode)


def stripped(lines: list[str]) -> list[str]:
    """Without empty lines at the end."""
    while lines and not re.sub(r"\x1b\[[0-9;]*m", "", lines[-1]).strip():
        lines = lines[:-1]
    return lines


def drawn(lines: list[str]) -> str:
    """Lines of a terminal as an SVG."""
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True, color_system="truecolor")
    for line in lines:
        console.print(Text.from_ansi(line), no_wrap=True, crop=True)
    svg = console.export_svg(title="", code_format=SVG, unique_id="demo")
    return "\n".join(line.strip() for line in svg.splitlines() if line.strip()) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
