"""How far a loop is: a bar for the person at the terminal, events for the index, which knows the ETA from them."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from time import monotonic
from typing import TypeVar

Item = TypeVar("Item")

DRAW_S = 0.1  # ten pictures a second are a smooth bar
TELL_S = 0.5  # an event costs two microseconds, a reader's attention more
_WIDTH = 30


def follow(
    items: Iterable[Item],
    *,
    total: float | None,
    label: str,
    tell: Callable[[float, float], None],
    clock: Callable[[], float] = monotonic,
) -> Iterator[Item]:
    """Yield the items; draw a bar, and `tell(done, total)` at the start, at most twice a second, and at the end.

    `total` is taken from `len(items)` if None. If that is unknown too, the bar counts, and nothing is told but the end.
    `clock` gives seconds; tests hold it still.
    """
    if total is None:
        total = float(len(items)) if isinstance(items, Sized) else 0.0
    bar = _bar(label, total, clock)
    if total:
        tell(0.0, total)
    done, told_at = 0.0, clock()
    next_at = told_at + DRAW_S
    try:
        for item in items:
            yield item
            done += 1
            now = clock()
            if now < next_at:
                continue
            next_at = now + DRAW_S
            bar.draw(done)
            if total and now >= told_at + TELL_S:
                told_at = now
                tell(done, total)
    finally:  # also where the loop was left early: how far it came is what counts
        tell(done, total or done)
        bar.draw(done)
        bar.close()


class _Bar:
    """A bar that stays in its line."""

    def __init__(self, label: str, total: float, clock: Callable[[], float]) -> None:
        self._label = f"{label} " if label else ""
        self._total = total
        self._clock = clock
        self._start = clock()

    def draw(self, done: float) -> None:
        spent = self._clock() - self._start
        if not self._total:
            _print(f"\r{self._label}{done:g} in {_duration(spent)} ")
            return
        share = min(done / self._total, 1.0)
        full = round(share * _WIDTH)
        left = f", {_duration(spent / done * (self._total - done))} left" if 0 < done < self._total else ""
        picture = "█" * full + "·" * (_WIDTH - full)
        _print(f"\r{self._label}{picture} {done:g}/{self._total:g} in {_duration(spent)}{left}\x1b[K")

    def close(self) -> None:
        _print("\n")


class _Lines(_Bar):
    """One line every ten percent, for output that goes to a file."""

    def __init__(self, label: str, total: float, clock: Callable[[], float]) -> None:
        super().__init__(label, total, clock)
        self._tenth = 0

    def draw(self, done: float) -> None:
        tenth = int(10 * done / self._total) if self._total else 0
        if tenth > self._tenth:
            self._tenth = tenth
            _print(f"{self._label}{done:g}/{self._total:g} in {_duration(self._clock() - self._start)}\n")

    def close(self) -> None:
        pass  # every line has ended already


def _bar(label: str, total: float, clock: Callable[[], float]) -> _Bar:
    try:
        is_terminal = sys.stderr.isatty()
    except (AttributeError, ValueError):  # stderr is None or closed
        is_terminal = False
    return _Bar(label, total, clock) if is_terminal else _Lines(label, total, clock)


def _print(text: str) -> None:
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):
        pass  # nobody looks; the events still tell


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
