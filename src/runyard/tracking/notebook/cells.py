"""What IPython tells of its cells: when one begins, and how it ended."""

from typing import Any, Protocol

Shell = Any  # IPython's InteractiveShell: it is never imported here, and nobody's environment must have it


class Listener(Protocol):
    """Whoever wants to know of cells. Nothing here may raise."""

    def on_cell_begin(self) -> None:
        """A cell is about to run."""
        ...

    def on_cell_end(self, error: BaseException | None) -> None:
        """It has ended, with this exception or well."""
        ...


class Cells:
    """The cells of one shell.

    Attributes:
        is_running: whether one is running now. Code that nobody sees (an editor's look at variables) does not count.
    """

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.is_running = True  # this is called in a cell
        self._listeners: list[Listener] = []
        shell.events.register("pre_run_cell", self._begin)
        shell.events.register("post_run_cell", self._end)

    def listen(self, listener: Listener) -> None:
        """Tell `listener` from now on."""
        self._listeners.append(listener)

    def forget(self, listener: Listener) -> None:
        """Tell it nothing any more."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def _begin(self, _info: Any = None) -> None:
        self.is_running = True
        for listener in self._listeners[:]:
            listener.on_cell_begin()

    def _end(self, result: Any) -> None:
        self.is_running = False
        error = getattr(result, "error_before_exec", None) or getattr(result, "error_in_exec", None)
        for listener in self._listeners[:]:
            listener.on_cell_end(error)


_known: list[Cells] = []  # one for each shell of this process, which is one


def cells_of(shell: Shell) -> Cells:
    """The cells of a shell, asked for as often as one likes."""
    for cells in _known:
        if cells.shell is shell:
            return cells
    _known.append(Cells(shell))
    return _known[-1]
