"""Who is supervised: a child with all its descendants, or a process that somebody else started."""

import os
import signal
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from runyard.supervisor.tree import Tree, has_children

_CLOCK_SLACK_S = 2.0  # start times are known to a hundredth of a second, and boot times drift with the clock


@dataclass(frozen=True, kw_only=True)
class Exit:
    """How a process ended, as far as it can be known."""

    exit_code: int | None = None
    signal: int | None = None


class Subject(Protocol):
    """The process of an attempt. Nothing here blocks."""

    pid: int

    @property
    def exit_fd(self) -> int | None:
        """Readable when it has ended; None where the system offers no such thing."""
        ...

    def poll(self) -> Exit | None:
        """How it ended, or None while it lives."""
        ...

    def ask_to_stop(self, others: Iterable[int]) -> None:
        """SIGTERM to the training process, and to those of `others` that belong to it."""
        ...

    def kill(self) -> None:
        """SIGKILL to everything that belongs to it."""
        ...

    def members(self) -> list[int]:
        """Pids of all that belongs to it and lives."""
        ...

    def close(self) -> None:
        """Nothing more is asked."""
        ...


class Child:
    """A process that the supervisor started, with its whole tree."""

    def __init__(self, pid: int, *, others: frozenset[int] = frozenset()) -> None:
        self.pid = pid
        self.exit_fd = _pidfd(pid)
        self._tree = Tree(pid, others=others)
        self._exit: Exit | None = None

    def poll(self) -> Exit | None:
        if self._exit is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self._exit = Exit(signal=-code) if code < 0 else Exit(exit_code=code)
        return self._exit

    def ask_to_stop(self, others: Iterable[int]) -> None:
        members = set(self._tree.members())
        self._tree.send(signal.SIGTERM, [self.pid, *(pid for pid in others if pid in members and pid != self.pid)])

    def ask_members_to_stop(self) -> None:
        """SIGTERM to all that is left."""
        self._tree.send(signal.SIGTERM, self.members())

    def kill(self) -> None:
        if self._exit is None:
            self._tree.kill_group()  # in one stroke, so that nobody forks away meanwhile
        self._tree.send(signal.SIGKILL, self.members())

    def members(self) -> list[int]:
        return self._tree.members() if has_children() else []

    def close(self) -> None:
        if self.exit_fd is not None:
            os.close(self.exit_fd)
            self.exit_fd = None


class Watched:
    """A process that was there before us, and whose exit code only its own parent will know."""

    def __init__(self, pid: int, *, is_gone: bool = False) -> None:
        self.pid = pid
        self.exit_fd = None if is_gone else _pidfd(pid)
        self._is_gone = is_gone

    def poll(self) -> Exit | None:
        if not self._is_gone:
            self._is_gone = not self._is_alive()
        return Exit() if self._is_gone else None

    def ask_to_stop(self, others: Iterable[int]) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def members(self) -> list[int]:
        return [] if self.poll() else [self.pid]

    def close(self) -> None:
        if self.exit_fd is not None:
            os.close(self.exit_fd)
            self.exit_fd = None

    def _is_alive(self) -> bool:
        if self.exit_fd is not None:  # this one descriptor means this one process, whoever gets its number later
            import select

            return not select.select([self.exit_fd], [], [], 0)[0]
        return psutil.pid_exists(self.pid)

    def _send(self, number: int) -> None:
        try:
            if self.exit_fd is not None and sys.platform == "linux":
                signal.pidfd_send_signal(self.exit_fd, number)
            elif self.poll() is None:
                os.kill(self.pid, number)
        except (ProcessLookupError, PermissionError):
            pass  # gone, or another user's


def find_watched(pid: int, *, started: float | None, journal: Path) -> Watched:
    """Take hold of a running process, unless its number means another process by now.

    Args:
        started: when it started, in seconds since 1970, if the caller knows.
        journal: a file that the process made, so that it must have started before.
    """
    watched = Watched(pid, is_gone=not psutil.pid_exists(pid))
    if watched.poll() is not None or os.getppid() == pid:  # our own parent cannot be mistaken
        return watched
    try:
        began = psutil.Process(pid).create_time()
        is_same = abs(began - started) < _CLOCK_SLACK_S if started else began < _created(journal) + _CLOCK_SLACK_S
    except psutil.NoSuchProcess:
        is_same = False
    if is_same:
        return watched
    watched.close()
    return Watched(pid, is_gone=True)


def _created(journal: Path) -> float:
    from runyard.supervisor.streams import Follower

    follower = Follower(journal)
    follower.read()
    return follower.created_ns / 1e9 if follower.created_ns else float("inf")


def _pidfd(pid: int) -> int | None:
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None
