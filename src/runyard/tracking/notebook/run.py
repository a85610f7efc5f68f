"""A run of a notebook, which outlives the cell that began it.

An exception ends a cell and not the kernel, so it is not the end of the run either: the next cell may go on. But if
nothing goes on, it was. So the run remembers how the last cell ended that had to do with it, and ends like that when
another run begins or the kernel leaves without a word about it.
"""

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any

from runyard.errors import StopRun
from runyard.journal.events import Event, Failed, StopObeyed, StopRequested
from runyard.journal.reader import EventAt, read_journal
from runyard.records import RunSpec
from runyard.tracking.complaints import caller
from runyard.tracking.notebook.cells import Cells
from runyard.tracking.notebook.live import LiveChart
from runyard.tracking.run import Run
from runyard.tracking.stopping import StopSignal

_OPEN = "running"


class NotebookRun(Run):
    """As `Run`; it draws itself, and knows of cells."""

    def __init__(self, folder: "str | Path", attempt: int, *, spec: RunSpec, rank: int = 0, config: Any = None) -> None:
        super().__init__(folder, attempt, spec=spec, rank=rank, config=config)
        self._stop = StopSignal(self._on_stop)
        self._cells: Cells | None = None
        self._chart: LiveChart | None = None
        self._draw_at = float("inf")  # monotonic seconds
        self._left_by: Event | None = None  # how the last cell ended that logged something, unless it ended well
        self._size_before = 0  # of the journal, when the cell began

    def show(self, cells: Cells, *, is_drawn: bool, link: str | None) -> None:
        """Listen to the cells of a notebook, and draw what is logged below the one that runs.

        `link` is the page of the run on a dashboard, if there is one.
        """
        self._cells = cells
        cells.listen(self)
        if is_drawn and self._writer is not None and getattr(cells.shell, "kernel", None) is not None:
            title = f"{self.name} ({self.id}) of {self.project}"
            self._chart = LiveChart(cells.shell, title=title, journal=Path(self._writer.path), link=link)
            self._draw(_OPEN)

    def log(self, metrics: "Mapping[str, Any] | None" = None, /, *, step: Any = None, **named: Any) -> None:
        """As `Run.log`; about once a second the chart below the cell is drawn anew."""
        super().log(metrics, step=step, **named)
        if monotonic() >= self._draw_at:
            self._draw(_OPEN)

    def finish(self, exception: BaseException | None = None) -> None:
        """As `Run.finish`."""
        if self._is_finished:
            return
        super().finish(exception)
        self._leave(self._ending(exception))

    # ---- cells ----

    def on_cell_begin(self) -> None:
        """See `Listener`."""
        self._size_before = self._size()
        if self._chart is not None:
            self._chart.begin()
            self._draw_at = 0.0

    def on_cell_end(self, error: BaseException | None) -> None:
        """See `Listener`."""
        if isinstance(error, StopRun):  # somebody stopped it, and the cell obeyed
            self.finish(error)
            return
        if self._size() > self._size_before:
            self._left_by = None if error is None else self._ending(error)
        if self._chart is not None and self._chart.is_shown:
            self._draw(f"open, though {_word(self._left_by)}" if self._left_by else "open")
        self._draw_at = float("inf")

    def _abandon(self, exception: BaseException | None = None) -> None:
        """End as the last cell left it; the kernel's own exit code says nothing about that."""
        if self._left_by is None:
            self.finish()
            return
        if self._tells_the_end():
            self._event(self._left_by)
        self._close()
        self._leave(self._left_by)

    def _leave(self, how: Event) -> None:
        self._draw(_word(how), is_last=True)
        self._draw_at = float("inf")
        if self._cells is not None:
            self._cells.forget(self)

    # ---- SIGTERM ----

    def _on_stop(self) -> None:
        """While a cell runs its next `log` raises StopRun. Else nothing would ever come, so the run ends here."""
        self._layouts_away()
        if self._cells is None or self._cells.is_running or self._pid != os.getpid():
            return
        self.finish(StopRun())
        if not self._was_asked_to_stop():  # it was meant for the kernel, and not for one of its runs
            os.kill(os.getpid(), signal.SIGTERM)

    def _was_asked_to_stop(self) -> bool:
        try:
            items, _ = read_journal(self._folder.edits)
        except OSError:
            return False
        return any(isinstance(item, EventAt) and isinstance(item.event, StopRequested) for item in items)

    # ---- drawing ----

    def _draw(self, state: str, *, is_last: bool = False) -> None:
        chart = self._chart
        if chart is None or self._pid != os.getpid():
            return
        try:
            (chart.draw_again if is_last else chart.draw)(state)
            self._draw_at = chart.next_at
        except Exception as problem:  # one of the three places of STYLE.md: a picture is not worth a training
            self._chart = None
            self._draw_at = float("inf")
            self._complaints.once(
                "chart", f"{caller()}: the chart cannot be shown ({type(problem).__name__}: {problem})"
            )

    def _size(self) -> int:
        """Of the journal in bytes; 0 if it is closed."""
        return os.fstat(self._fd).st_size if self._fd >= 0 else 0

    def _after_fork(self) -> None:
        super()._after_fork()
        self._chart = self._cells = None
        self._draw_at = float("inf")


def _word(how: Event) -> str:
    if isinstance(how, Failed):
        return f"failed: {how.type}: {how.message}"
    return "stopped" if isinstance(how, StopObeyed) else "completed"
