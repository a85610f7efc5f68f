"""What the three readers give: runs as MLflow has them, read piece by piece."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from runyard.errors import UsageError

RUNNING, SCHEDULED, FINISHED, FAILED, KILLED = "RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"
_MOST_NAMED = 20
STATUSES = (RUNNING, SCHEDULED, FINISHED, FAILED, KILLED)  # their numbers in files count from 1


@dataclass(frozen=True)
class Points:
    """One series in the order in which it was logged: steps, values, times in milliseconds since 1970."""

    steps: Sequence[int]
    values: Sequence[float]
    times_ms: Sequence[int]


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A file of a run. `read` gives its bytes, or where it lies on this machine; it may raise `Unreadable`."""

    name: str
    read: Callable[[], "bytes | Path"]


@dataclass(frozen=True, kw_only=True)
class TheirRun:
    """A run as MLflow has it; times in milliseconds since 1970.

    Attributes:
        metrics: gives the series by key, when they are needed.
        artifacts: gives the files, when they are needed.
    """

    id: str
    name: str
    experiment: str
    user: str
    status: str
    start_ms: int | None
    end_ms: int | None
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: Callable[[], Iterator[tuple[str, Points]]]
    artifacts: Callable[[], Iterator[Artifact]]


class Unreadable(Exception):
    """Something that cannot be read: `str()` of it says what, where and why."""


def check_asked(asked: Iterable[str], there: Iterable[str], place: str) -> None:
    """Whether experiments that were asked for are there.

    Raises:
        UsageError: one is not; the message lists those that are.
    """
    names = sorted(set(there))
    for name in asked:
        if name not in names:
            shown = ", ".join(repr(each) for each in names[:_MOST_NAMED]) + (", …" if len(names) > _MOST_NAMED else "")
            raise UsageError(f"{place} has no experiment {name!r}. It has: {shown or 'none'}.")


class Reader(Protocol):
    """A place where MLflow keeps runs. What cannot be read is in `problems`, and never raised by the iterators."""

    problems: list[str]

    def count(self) -> int:
        """How many runs there are, as far as that is known."""

    def runs(self) -> Iterator[TheirRun]:
        """All runs that are not deleted, experiment by experiment, the oldest first."""

    def close(self) -> None:
        """Let go of files and connections."""
