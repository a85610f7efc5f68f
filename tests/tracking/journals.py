"""What the journals of a run hold, for tests to compare."""

from pathlib import Path
from typing import TypeVar

from runyard.journal.events import Event
from runyard.journal.reader import EventAt, Rows, read_journal

AnEvent = TypeVar("AnEvent", bound=Event)
Points = dict[str, list[tuple[int, float]]]


def points_in(run_dir: Path, *, attempt: int = 1, stream: str = "main") -> Points:
    """Steps and values of every series of one stream, in the order they were written."""
    timed: dict[str, list[tuple[int, int, float]]] = {}
    for item in _items(run_dir, attempt, stream):
        if isinstance(item, Rows):
            for column, key in enumerate(item.keys):
                values = item.values[:, column].tolist()
                timed.setdefault(key, []).extend(zip(item.times.tolist(), item.steps.tolist(), values, strict=True))
    # rows that are logged in turn are decoded as blocks beside each other, so a key of several blocks is not in order
    ordered = {key: sorted(points, key=lambda point: point[0]) for key, points in timed.items()}
    return {key: [(step, value) for _, step, value in points] for key, points in ordered.items()}


def events_in(run_dir: Path, kind: type[AnEvent], *, attempt: int = 1, stream: str = "main") -> list[AnEvent]:
    """All events of a kind of one stream."""
    items = _items(run_dir, attempt, stream)
    return [item.event for item in items if isinstance(item, EventAt) and isinstance(item.event, kind)]


def streams_of(run_dir: Path, *, attempt: int = 1) -> list[str]:
    return sorted(path.stem for path in (run_dir / "attempts" / str(attempt)).glob("*.journal"))


def _items(run_dir: Path, attempt: int, stream: str) -> "list[Rows | EventAt]":
    items, decoder = read_journal(run_dir / "attempts" / str(attempt) / f"{stream}.journal")
    assert decoder.problem == ""
    return items
