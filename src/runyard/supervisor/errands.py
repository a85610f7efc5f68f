"""Errands: what may take long, such as asking a server that hangs, is done by a second thread, one after the other.

The loop goes on meanwhile, and hears of the end through a socket that it can wait for.
"""

import socket
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

_T = TypeVar("_T")


class Errands:
    """One thread beside the loop, started when it is first needed. All but `say` is for the thread of the loop."""

    def __init__(self) -> None:
        self._to_do: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._said: deque[Callable[[], object]] = deque()
        self._begun: set[str] = set()
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._thread: threading.Thread | None = None

    @property
    def are_done(self) -> bool:
        """Whether none is on its way."""
        return not self._begun

    def fileno(self) -> int:
        """Readable when `hear` has something to do."""
        return self._reader.fileno()

    def begin(self, name: str, action: Callable[[], _T], then: Callable[[_T], object]) -> bool:
        """Do `action` beside the loop and `then` in it; not if the last errand of this name is not done yet."""
        if name in self._begun:
            return False
        self._begun.add(name)
        if self._thread is None:
            # a daemon: the end of the process does not wait for a server that hangs
            self._thread = threading.Thread(target=self._work, name="errands", daemon=True)
            self._thread.start()
        self._to_do.put(lambda: self._do(name, action, then))
        return True

    def say(self, words: Callable[[], object]) -> None:
        """Let the loop do this soon. From any thread."""
        self._said.append(words)
        try:
            self._writer.send(b"\0")
        except OSError:  # it was rung often enough, or nobody listens any more
            pass

    def hear(self) -> None:
        """Do all that was said; the first exception is raised when everything is done."""
        try:
            while self._reader.recv(4096):
                pass
        except BlockingIOError:
            pass
        problem: Exception | None = None
        while self._said:
            try:
                self._said.popleft()()
            except Exception as error:  # told by who listens
                problem = problem or error
        if problem is not None:
            raise problem

    def close(self) -> None:
        """Take no more. An errand that hangs is left to itself."""
        self._to_do.put(None)
        if self._thread is not None and self.are_done:
            self._thread.join()
        self._reader.close()
        self._writer.close()

    def _work(self) -> None:
        while (errand := self._to_do.get()) is not None:
            errand()

    def _do(self, name: str, action: Callable[[], _T], then: Callable[[_T], object]) -> None:
        try:
            found = action()
        except Exception as error:  # raised again where the loop hears of it
            problem = error
            self.say(lambda: self._end(name, lambda: _raise(problem)))
        else:
            self.say(lambda: self._end(name, lambda: then(found)))

    def _end(self, name: str, then: Callable[[], object]) -> None:
        self._begun.discard(name)
        then()


def _raise(problem: Exception) -> None:
    raise problem
