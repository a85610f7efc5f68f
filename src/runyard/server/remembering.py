"""Answers that cost much and change little: totals of a filter, columns, projects.

What was worked out stays good until something changes in the home; and where things change all the time, for ten
times as long as it took to work out. A change that came through this server counts at once.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from copy import copy
from typing import Any, TypeVar

from runyard.server.watching import Watcher

_KEPT = 10  # times as long as it took
_MOST = 200

Found = TypeVar("Found")


class Memory:
    """Remembers answers of one home."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._scope: Hashable = None
        self._lock = threading.Lock()
        self._known: OrderedDict[Hashable, tuple[tuple[int, int], float, Any]] = OrderedDict()

    def of(self, scope: Hashable) -> "Memory":
        """The part of this memory that belongs to those who see the same."""
        mine = copy(self)
        mine._scope = scope
        return mine

    def recall(self, key: Hashable, work_out: Callable[[], Found]) -> Found:
        """The answer to `key`, worked out if it is not known or not good any more."""
        key = (self._scope, key)
        state = self._watcher.generation
        began = time.monotonic()
        known = self._good(key, state, began)
        if known is not None:
            answer: Found = known[2]
            return answer
        found = work_out()
        now = time.monotonic()
        with self._lock:
            self._known[key] = (state, now + _KEPT * (now - began), found)
            if len(self._known) > _MOST:
                self._known.popitem(last=False)
        return found

    def peek(self, key: Hashable) -> Any:
        """The answer to `key` if it is known and good, else None."""
        known = self._good((self._scope, key), self._watcher.generation, time.monotonic())
        return None if known is None else known[2]

    def _good(self, key: Hashable, state: tuple[int, int], now: float) -> tuple[tuple[int, int], float, Any] | None:
        with self._lock:
            known = self._known.get(key)
            if known is None or not self._is_good(known[0], state, until=known[1], now=now):
                return None
            self._known.move_to_end(key)
            return known

    @staticmethod
    def _is_good(known: tuple[int, int], state: tuple[int, int], *, until: float, now: float) -> bool:
        own, _ = known
        return own == state[0] and (known == state or now < until)
