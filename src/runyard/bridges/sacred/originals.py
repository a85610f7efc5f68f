"""A run as Sacred's stores hold it, whichever of them it is.

All of them are brought into the form of Sacred's Mongo documents: `document` has the fields of `runs`, as far as they
are there and whatever they hold. Readers trust nothing: any field may be missing or of another type.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol


class Unreadable(Exception):
    """Something that cannot be read; the text is the reason."""


@dataclass(frozen=True)
class Series:
    """The points of a metric as they are stored: three lists that should be parallel. `times` None: never written."""

    name: str
    steps: list[Any]
    values: list[Any]
    times: list[Any] | None


@dataclass(frozen=True)
class StoredFile:
    """A file of a run. `read` gives its content, or where that lies; it raises Unreadable or OSError."""

    name: str
    read: Callable[[], "bytes | Path"]


@dataclass
class Original:
    """One run.

    Attributes:
        source: its name for good: kind, place and id.
        place: what to call it where something of it cannot be read.
        problems: what could not be read so far.
        series: reads its metrics, in the order in which they were stored.
        files: sources, resources and artifacts.
    """

    source: str
    place: str
    document: dict[str, Any]
    series: Callable[[], Iterator[Series]] = lambda: iter(())
    files: Callable[[], Iterator[StoredFile]] = lambda: iter(())
    problems: list[str] = field(default_factory=list)


class Reader(Protocol):
    """A store of runs. `runs` gives as many as `count` says, or lists in `problems` what it leaves out."""

    problems: list[str]

    def count(self) -> int:
        """How many runs there are."""

    def runs(self) -> Iterator[Original]:
        """All runs, the oldest first."""

    def close(self) -> None:
        """Let go of the store."""
