"""Executing a notebook once, with a real kernel of this very Python.

Which kernels are installed, and what a user's profile of IPython does at its start, makes no difference here: kernel,
profile and the sockets between us lie in a folder of their own, and no port is opened.
"""

import importlib.util
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runyard.errors import MissingExtra, ServiceError

_CELL_S = 600  # for one cell: the series of many long runs from a slow disk
_START_S = 120
_NEEDED = ("nbclient", "ipykernel", "nbformat")


def require_kernel() -> None:
    """Make sure that `execute` can work.

    Raises:
        MissingExtra: nbclient or ipykernel is not installed.
    """
    if any(importlib.util.find_spec(name) is None for name in _NEEDED):
        raise MissingExtra(extra="notebook", purpose="Executing a notebook")


def execute(document: dict[str, Any], *, folder: Path, tell: Callable[[int, int], None]) -> dict[str, Any]:
    """Run all cells in order; give the document with what they show.

    Args:
        document: of Jupyter's format, without outputs.
        folder: where the cells run.
        tell: is called with how many cells are done, and of how many.

    Raises:
        MissingExtra: nbclient or ipykernel is not installed.
        ServiceError: the kernel does not start or dies, or a cell fails; the message says which.
    """
    require_kernel()
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    made: Any = nbformat  # has types, but for this function
    notebook = made.from_dict(document)
    count = len(notebook.cells)
    tell(0, count)
    with tempfile.TemporaryDirectory(prefix="runyard-") as own:
        manager = _manager(Path(own))
        client: Any = NotebookClient(  # whose optional parts are there as soon as it is set up
            notebook,
            km=manager,
            timeout=_CELL_S,
            startup_timeout=_START_S,
            record_timing=False,
            resources={"metadata": {"path": str(folder)}},
        )
        number = 0
        try:
            with client.setup_kernel(env=_environment(Path(own))):
                info = client.wait_for_reply(client.kc.kernel_info())
                for number, cell in enumerate(notebook.cells, start=1):
                    client.execute_cell(cell, number - 1)
                    tell(number, count)
                notebook.metadata["language_info"] = info["content"]["language_info"]
        except (CellExecutionError, CellTimeoutError) as error:
            lines = str(error).strip().splitlines()
            raise ServiceError(f"Cell {number} of the notebook failed: {lines[-1] if lines else error}") from None
        except (DeadKernelError, RuntimeError, OSError) as error:
            raise ServiceError(f"The notebook's kernel ({sys.executable}) did not run: {error}") from None
        finally:
            if client.kc is not None:
                client.kc.stop_channels()
            if manager.has_kernel:
                manager.shutdown_kernel(now=True)
            manager.context.term()  # or its sockets are told of at the end of the program
    return dict(notebook)


def _manager(own: Path) -> Any:
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import KernelManager

    class ThisPython(KernelSpecManager):
        """Knows one kernel: the interpreter that runs this program."""

        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            return KernelSpec(argv=command, display_name="Python 3", language="python")

    return KernelManager(
        kernel_name="python3",
        kernel_spec_manager=ThisPython(),
        transport="ipc",
        ip=str(own / "k"),
        connection_file=str(own / "kernel.json"),
    )


def _environment(own: Path) -> dict[str, str]:
    return {**os.environ, "IPYTHONDIR": str(own / "ipython"), "RUNYARD_LIVE": "0"}
