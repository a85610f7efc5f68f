"""How a stop request reaches training code: SIGTERM sets a flag, and the next `run.log` raises StopRun.

The handler does nothing else, since it may run between any two bytecodes. A second SIGTERM ends the process the
usual way, so that a program which logs nothing any more can still be ended with a plain `kill`. A process may have
several runs open, one below the other: the request is for all of them.
"""

import _thread
import signal
from collections.abc import Callable
from types import FrameType


class StopSignal:
    """Listens for SIGTERM while a run is open."""

    def __init__(self, on_stop: Callable[[], None]) -> None:
        self._on_stop = on_stop
        self._thread = 0
        self.is_set = False

    def listen(self) -> None:
        """Install the handler, unless this is not the main thread or the program handles SIGTERM itself."""
        if signal.getsignal(signal.SIGTERM) is not _handle:
            if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
                return
            try:
                signal.signal(signal.SIGTERM, _handle)
            except ValueError:
                return  # not the main thread: Python allows no handler here
        self._thread = _thread.get_ident()
        _listening.append(self)

    def restore(self) -> None:
        """Take the handler away: the run is over, or this is a forked child, which SIGTERM must end as always."""
        if self not in _listening:
            return
        _listening.remove(self)
        if not _listening:
            _take_away()

    def is_for_this_thread(self) -> bool:
        """Whether StopRun may be raised here: it must end the training, not a helper thread."""
        return _thread.get_ident() == self._thread

    def tell(self) -> None:
        """The signal has come."""
        self.is_set = True
        self._on_stop()


_listening: list[StopSignal] = []


def _handle(_signal: int, _frame: FrameType | None) -> None:
    told = _listening[:]
    _listening.clear()
    _take_away()
    for each in told:
        each.tell()


def _take_away() -> None:
    try:
        if signal.getsignal(signal.SIGTERM) is _handle:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
    except ValueError:
        pass  # not the main thread; a handler that tells nobody is left behind, and the next run takes it up
