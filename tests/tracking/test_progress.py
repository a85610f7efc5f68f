"""`run.progress`: a bar for people, events for the index; the clock is ours."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.journal.events import Progress
from runyard.tracking import Run
from runyard.tracking.progress import follow
from tests.tracking.journals import events_in


class Clock:
    """Advances by `tick_s` seconds each time it is asked."""

    def __init__(self, tick_s: float) -> None:
        self._now = 0.0
        self._tick_s = tick_s

    def __call__(self) -> float:
        self._now += self._tick_s
        return self._now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def told_by(items: Iterator[int] | range, *, total: float | None = None, tick_s: float) -> list[tuple[float, float]]:
    told: list[tuple[float, float]] = []
    for _ in follow(items, total=total, label="", tell=lambda *pair: told.append(pair), clock=Clock(tick_s)):
        pass
    return told


def test_the_items_come_through_and_the_index_learns_start_and_end(run: Run, run_dir: Path) -> None:
    assert list(run.progress(["a", "b"], label="epochs")) == ["a", "b"]

    told = [(event.done, event.total, event.label) for event in events_in(run_dir, Progress)]
    assert told == [(0.0, 2.0, "epochs"), (2.0, 2.0, "epochs")]


def test_a_fast_loop_tells_twice_a_second_at_most() -> None:
    told = told_by(range(10_000), tick_s=0.001)

    assert 15 <= len(told) <= 22
    assert told[-1] == (10_000.0, 10_000.0)


def test_a_slow_loop_tells_every_item() -> None:
    assert told_by(range(3), tick_s=10) == [(0, 3), (1, 3), (2, 3), (3, 3), (3, 3)]


def test_without_a_known_total_only_the_end_is_told() -> None:
    assert told_by(iter(range(5)), tick_s=10) == [(5.0, 5.0)]
    assert told_by(iter(range(5)), total=5, tick_s=0.0)[-1] == (5.0, 5.0)


def test_a_loop_that_is_left_early_tells_how_far_it_came(run: Run, run_dir: Path) -> None:
    loop = run.progress(range(10))
    assert next(loop) == 0
    assert next(loop) == 1
    loop.close()  # type: ignore[attr-defined]  # a generator

    assert [(event.done, event.total) for event in events_in(run_dir, Progress)][-1] == (1.0, 10.0)


def test_a_terminal_gets_a_bar_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    told_by(range(1_000), tick_s=0.01)

    text = terminal.getvalue()
    assert 80 <= text.count("\r") <= 105
    assert text.count("\n") == 1
    assert "left" in text
    assert text.rstrip().splitlines()[-1].split("\r")[-1].startswith("█" * 30 + " 1000/1000")


def test_a_file_gets_a_line_every_ten_percent(monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.StringIO()
    monkeypatch.setattr(sys, "stderr", output)

    told_by(range(1_000), tick_s=0.05)

    assert len(output.getvalue().splitlines()) == 10
    assert "\r" not in output.getvalue()


def test_a_process_without_stderr_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)

    assert told_by(range(3), tick_s=1)[-1] == (3.0, 3.0)
