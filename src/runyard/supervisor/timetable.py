"""What is due when, in one thread: regular actions, single ones, and those that are done between two looks."""

from collections.abc import Callable
from dataclasses import dataclass

Action = Callable[[], None]


@dataclass
class _Entry:
    due: float
    action: Action
    every_s: float | None  # None: once


class Timetable:
    """Actions and when they are due. Time is an argument, in seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []

    def every(self, period_s: float, action: Action, *, first: float) -> None:
        """Do it at `first`, and again `period_s` after each time it was done."""
        self._entries.append(_Entry(first, action, period_s))

    def once(self, due: float, action: Action) -> None:
        """Do it a single time."""
        self._entries.append(_Entry(due, action, None))

    def wait_s(self, now: float, *, at_most: float) -> float:
        """How long nothing is due."""
        due = min((entry.due for entry in self._entries), default=now + at_most)
        return min(max(0.0, due - now), at_most)

    def run_next(self, now: float) -> bool:
        """Do the one action that is due longest; whether there was one."""
        due = [entry for entry in self._entries if entry.due <= now]
        if not due:
            return False
        entry = min(due, key=lambda entry: entry.due)
        if entry.every_s is None:
            self._entries.remove(entry)
        else:
            entry.due = now + entry.every_s
        entry.action()
        return True
