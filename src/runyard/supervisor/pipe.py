"""The child's end of talking: its pipe is read here, shown in the terminal if it is ours, and journalled."""

import os
import sys
import time
from selectors import EVENT_READ, BaseSelector

from runyard.journal import JournalWriter
from runyard.journal.events import Output, OutputDropped
from runyard.supervisor.output import Capture

_READ_BYTES = 1 << 20


class OutputPipe:
    """What a run prints, from its pipe into its journal; closed at its end.

    Args:
        fd: the end to read from, which does not block.
        selector: gets `read` as what to do when something has come.
        is_shown: whether it goes to our own output, too.
    """

    def __init__(self, fd: int, selector: BaseSelector, journal: JournalWriter, *, is_shown: bool) -> None:
        self._fd = fd
        self._selector = selector
        self._journal = journal
        self._is_shown = is_shown
        self._capture = Capture()
        selector.register(fd, EVENT_READ, self.read)

    def read(self) -> None:
        """Take in what has come."""
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._close()
            return
        self._show(data)
        self._capture.feed(data, now=time.monotonic())
        if self._capture.is_full:
            self.flush()

    def flush(self) -> None:
        """Journal what will not change any more."""
        for text in self._capture.take(now=time.monotonic()):
            self._tell(text)

    def finish(self) -> None:
        """Take in the rest, without waiting for whoever may still have the other end; journal all of it."""
        while self._fd >= 0:
            before = self._capture.size_bytes
            self.read()
            if self._capture.size_bytes == before:
                self._close()
        texts, dropped, end = self._capture.finish()
        for text in texts:
            self._tell(text)
        if dropped:
            self._journal.event(OutputDropped(time_ns=time.time_ns(), size_bytes=dropped))
        for text in end:
            self._tell(text)

    def _tell(self, text: str) -> None:
        self._journal.event(Output(time_ns=time.time_ns(), text=text))

    def _show(self, data: bytes) -> None:
        if not self._is_shown:
            return
        try:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except (OSError, ValueError, AttributeError):  # the terminal was closed, or stdout is no file
            self._is_shown = False

    def _close(self) -> None:
        if self._fd >= 0:
            self._selector.unregister(self._fd)
            os.close(self._fd)
            self._fd = -1
