"""What a run printed, as a terminal would have shown it, in pieces that fit a journal.

Bytes of both streams come from one pipe, so their order is that of their arrival. Progress bars write
the same line again and again; only its last look is kept. Concatenating the texts of all `Output`
events gives what a person would have seen.

A run that prints without end costs neither disk nor time: after `MAX_BYTES` the middle is dropped, counted,
and the last `TAIL_BYTES` are kept for the end, where the traceback is.
"""

import codecs
import re
from collections import deque

MAX_BYTES = 8 << 20
TAIL_BYTES = 256 << 10
EVENT_BYTES = 64 << 10
FLUSH_S = 0.25
LINE_WAIT_S = 2.0  # an unfinished line is held so long, because a progress bar may rewrite it
MAX_LINE_CHARS = 64 << 10

_MAX_COLOUR_CHARS = 256

_SPECIAL = re.compile("[\r\b]|\x1b\\[[0-9;?]*[ABCDEFGHJKSTfhlsu]")  # what moves the cursor or erases; colours do not
_PIECES = re.compile("(\x1b\\[[0-9;:?]*[ -/]*[@-~]|\x1b[()][0-9A-B]|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\))")
_COLOUR = re.compile("\x1b\\[[0-9;:]*m")


class Screen:
    """Collapses carriage returns, backspaces and erasures within lines; colours are kept."""

    def __init__(self) -> None:
        self._cells: list[str] = []  # of the unfinished line: a character with the colours set before it
        self._column = 0
        self._colour = ""
        self._rest = ""  # the beginning of an escape sequence whose end has not arrived
        self._plain = ""  # the unfinished line as long as nothing special happened in it
        self._is_open = False  # whether the beginning of this line was taken before its end was known
        self.is_rewritten = False  # whether the unfinished line was overwritten: then its look is not final

    @property
    def line_chars(self) -> int:
        """How long the unfinished line is."""
        return len(self._plain) + len(self._cells)

    def feed(self, text: str) -> str:
        """Take text; return the lines that are complete now."""
        text = self._rest + text
        self._rest = ""
        cut = text.rfind("\x1b", max(0, len(text) - 64))
        if cut >= 0 and not _PIECES.match(text, cut):
            text, self._rest = text[:cut], text[cut:]
        if not self._is_special and not _is_special(text):
            return self._feed_plain(text)
        done = []
        *lines, last = text.split("\n")
        for line in lines:
            self._write(line)
            done.append(self.take_line() + "\n")
            self._is_open = False
        self._write(last)
        return "".join(done)

    def take_line(self) -> str:
        """The unfinished line as it looks now; the next text goes on behind it."""
        # what was taken before cannot be overwritten any more: its new look goes on a line of its own
        line = "\n" if self._is_open and self.is_rewritten and self._cells else ""
        line += self._plain + "".join(self._cells) + self._colour
        self._plain, self._cells, self._column, self._colour = "", [], 0, ""
        self.is_rewritten = False
        self._is_open = self._is_open or bool(line)
        return line

    def finish(self) -> str:
        """Nothing more comes: the unfinished line with all that was held back."""
        return self.take_line() + self._rest

    @property
    def _is_special(self) -> bool:
        return bool(self._cells) or self._column > 0 or self.is_rewritten

    def _feed_plain(self, text: str) -> str:
        complete, newline, rest = text.rpartition("\n")
        if not newline:
            self._plain += rest
            return ""
        done = self._plain + complete + newline
        self._plain = rest
        self._is_open = False
        return done

    def _write(self, text: str) -> None:
        if not self._is_special and not _is_special(text):
            self._plain += text
            return
        if self._plain:
            plain, self._plain = self._plain, ""
            self._put_all(plain)
        parts = text.split("\r")
        self._put_all(parts[0])
        for part in parts[1:]:
            self._column = 0
            self.is_rewritten = True
            self._put_all(part)

    def _put_all(self, text: str) -> None:
        if "\x1b" not in text and "\b" not in text:
            self._put(text)
            return
        for number, piece in enumerate(_PIECES.split(text)):
            if number % 2:
                self._obey(piece)
            else:
                first, *others = piece.split("\b")
                self._put(first)
                for other in others:
                    self._column = max(0, self._column - 1)
                    self._put(other)

    def _put(self, text: str) -> None:
        if not text:
            return
        cells = list(text)
        if self._colour:
            cells[0] = self._colour + cells[0]
            self._colour = ""
        if self._column > len(self._cells):
            self._cells.extend(" " * (self._column - len(self._cells)))
        self._cells[self._column : self._column + len(cells)] = cells
        self._column += len(cells)

    def _obey(self, sequence: str) -> None:
        if _COLOUR.fullmatch(sequence):
            is_fresh = sequence in ("\x1b[m", "\x1b[0m") or len(self._colour) > _MAX_COLOUR_CHARS
            self._colour = sequence if is_fresh else self._colour + sequence
        elif sequence in ("\x1b[K", "\x1b[0K"):
            del self._cells[self._column :]
        elif sequence in ("\x1b[2K", "\x1b[1K"):
            self._cells = [" "] * self._column
            self.is_rewritten = True
        # all else moves between lines, which a stream of lines cannot follow: left out


def _is_special(text: str) -> bool:
    # the three searches for single characters are many times faster than the expression
    return ("\r" in text or "\x1b" in text or "\b" in text) and _SPECIAL.search(text) is not None


class Capture:
    """Turns bytes from the pipe into texts for the journal. Time is an argument.

    Attributes:
        size_bytes: how much was printed in all.
    """

    def __init__(self, *, max_bytes: int = MAX_BYTES, tail_bytes: int = TAIL_BYTES) -> None:
        self.size_bytes = 0
        self._max_bytes = max_bytes
        self._tail_bytes = tail_bytes
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._screen = Screen()
        self._ready: list[str] = []
        self._ready_chars = 0
        self._kept_bytes = 0
        self._tail: deque[str] = deque()
        self._tail_chars = 0
        self._dropped_bytes = 0
        self._changed_at = 0.0

    def feed(self, data: bytes, *, now: float) -> None:
        """Take bytes as they were printed."""
        self.size_bytes += len(data)
        self._changed_at = now
        self._add(self._screen.feed(self._decoder.decode(data)))
        if self._screen.line_chars > MAX_LINE_CHARS:
            self._add(self._screen.take_line())

    @property
    def is_full(self) -> bool:
        """Whether there is enough for an event of its own, before the time to flush has come."""
        return self._ready_chars >= EVENT_BYTES

    def take(self, *, now: float) -> list[str]:
        """Texts that are due, each for one event."""
        screen = self._screen
        if screen.line_chars and not screen.is_rewritten and now - self._changed_at >= LINE_WAIT_S:
            self._add(screen.take_line())
        texts = _in_pieces("".join(self._ready))
        self._ready, self._ready_chars = [], 0
        return texts

    def finish(self) -> tuple[list[str], int, list[str]]:
        """Nothing more comes: the texts that are still due, how many bytes were dropped after them, and the end."""
        self._add(self._screen.feed(self._decoder.decode(b"", final=True)))
        self._add(self._screen.finish())
        texts = self.take(now=0.0)
        end = "".join(self._tail)
        self._tail.clear()
        return texts, self._dropped_bytes, _in_pieces(end)

    def _add(self, text: str) -> None:
        for piece in _in_pieces(text):  # a slow supervisor reads a megabyte at once: the caps must hold all the same
            self._add_piece(piece)

    def _add_piece(self, text: str) -> None:
        if self._kept_bytes < self._max_bytes:
            self._ready.append(text)
            self._ready_chars += len(text)
            self._kept_bytes += len(text)  # characters: a cap need not be exact
            return
        self._tail.append(text)
        self._tail_chars += len(text)
        while self._tail_chars - len(self._tail[0]) >= self._tail_bytes:
            oldest = self._tail.popleft()
            self._tail_chars -= len(oldest)
            self._dropped_bytes += len(oldest.encode("utf-8", "replace"))


def _in_pieces(text: str) -> list[str]:
    return [text[start : start + EVENT_BYTES] for start in range(0, len(text), EVENT_BYTES)]
