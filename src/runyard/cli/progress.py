"""A progress bar for work that takes a while; silent where nobody watches."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from runyard.cli import screen

Tell = Callable[[int, int], None]


def progress_bar(text: str) -> AbstractContextManager[Tell]:
    """Yield a function to call with how much is done, and of how much; the bar shows the time that remains."""
    return _bar(text, MofNCompleteColumn())


def size_bar(text: str) -> AbstractContextManager[Tell]:
    """As `progress_bar`, for bytes."""
    return _bar(text, DownloadColumn())


@contextmanager
def _bar(text: str, amount: ProgressColumn) -> Iterator[Tell]:
    if not screen.is_terminal(sys.stderr):
        yield lambda done, total: None
        return
    console = Console(stderr=True, no_color=not screen.wants_colour(sys.stderr), markup=False, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(text, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
