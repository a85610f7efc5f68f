"""Signals to the supervisor itself, turned into something a selector can wait for."""

import signal
import socket
import threading
from types import FrameType, TracebackType
from typing import Self

_WANTED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals:
    """Collects SIGINT, SIGTERM and SIGHUP while it is entered; handlers are put back afterwards.

    Outside the main thread nothing can be collected, and the signals stay with whoever handles them there.
    """

    def __init__(self) -> None:
        self._received: list[int] = []
        self._handlers: dict[int, object] = {}
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._wakeup_before = -1

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._wakeup_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
            for number in _WANTED:
                self._handlers[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handlers:
            for number, handler in self._handlers.items():
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)  # type: ignore[arg-type]  # came from signal.signal
            signal.set_wakeup_fd(self._wakeup_before)
        self._reader.close()
        self._writer.close()

    def fileno(self) -> int:
        """Readable when a signal has come."""
        return self._reader.fileno()

    def take(self) -> list[int]:
        """Signals since the last call, oldest first."""
        try:
            while self._reader.recv(4096):
                pass
        except BlockingIOError:
            pass
        received, self._received = self._received, []
        return received

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._received.append(number)
