"""How a stop request reaches training code: SIGTERM sets a flag, and the next `run.log` raises StopRun.

The handler does nothing else, since it may run between any two bytecodes. A second SIGTERM ends the process the
usual way, so that a program which logs nothing any more can still be ended with a plain `kill`.
"""

import _thread
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any


class StopSignal:
    """Listens for SIGTERM while a run is open."""

    def __init__(self, on_stop: Callable[[], None]) -> None:
        self._on_stop = on_stop
        self._before: Any = None  # what signal.getsignal returns: a callable, an enum, or None for a C handler
        self._thread = 0
        self.is_set = False

    def listen(self) -> None:
        """Install the handler, unless this is not the main thread or the program handles SIGTERM itself."""
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            return
        try:
            signal.signal(signal.SIGTERM, self._handle)
        except ValueError:
            return  # not the main thread: Python allows no handler here
        self._thread = _thread.get_ident()
        self._before = signal.SIG_DFL

    def restore(self) -> None:
        """Take the handler away: the run is over, or this is a forked child, which SIGTERM must end as always."""
        if self._before is None:
            return
        try:
            if signal.getsignal(signal.SIGTERM) == self._handle:
                signal.signal(signal.SIGTERM, self._before)
        except ValueError:
            return  # see listen
        self._before = None

    def is_for_this_thread(self) -> bool:
        """Whether StopRun may be raised here: it must end the training, not a helper thread."""
        return _thread.get_ident() == self._thread

    def _handle(self, _signal: int, _frame: FrameType | None) -> None:
        self.is_set = True
        self.restore()
        self._on_stop()
