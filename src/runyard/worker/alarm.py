"""What wakes a worker before its next look: the end of a run, a slot that gets free, a signal, somebody's call."""

import os
import select
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

from runyard.worker.running import Running

_POLL_WITHOUT_PIDFD_S = 0.1


class Alarm:
    """Wakes one sleeper; may be set off from any thread and from a signal handler."""

    def __init__(self) -> None:
        self._heard, self._rung = os.pipe()
        for fd in (self._heard, self._rung):
            os.set_blocking(fd, False)

    def ring(self) -> None:
        """Wake the sleeper now, or as soon as it lies down."""
        try:
            os.write(self._rung, b"x")
        except (BlockingIOError, OSError):  # it is awake, or has left
            pass

    def sleep(self, timeout_s: float, runs: Iterable[Running]) -> None:
        """Until the alarm rings, one of these runs ends or frees its slots, or the time is over."""
        poll = select.poll()
        poll.register(self._heard, select.POLLIN)
        for each in runs:
            if each.slots:
                poll.register(each.freed_fd, select.POLLIN)
            if each.handle.wait_fd is None:
                timeout_s = min(timeout_s, _POLL_WITHOUT_PIDFD_S)
            else:
                poll.register(each.handle.wait_fd, select.POLLIN)
        poll.poll(timeout_s * 1000)
        try:
            os.read(self._heard, 4096)
        except BlockingIOError:
            pass

    def close(self) -> None:
        """Nobody sleeps here any more."""
        for fd in (self._heard, self._rung):
            os.close(fd)
        self._heard = self._rung = -1


@contextmanager
def on_stop_signals(ask: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM are polite requests; outside the main thread nobody can send us any."""

    def handle(number: int, frame: FrameType | None) -> None:
        ask()

    try:
        before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
