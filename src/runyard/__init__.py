"""Configs, grids, a GPU queue and experiment tracking for teams that own their machines.

Every name is imported when it is first used, because this module is loaded by every training process.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runyard.client import open_client
    from runyard.client.runs import runs
    from runyard.config import (
        Config,
        Field,
        choice,
        expand,
        grid,
        loguniform,
        sample,
        sweep,
        uniform,
        value,
        when,
        zipped,
    )
    from runyard.errors import RunyardError, StopRun
    from runyard.project.submitting import submit
    from runyard.tracking import Run, current_run, start_run
    from runyard.tracking.models import load_model, read_manifest
    from runyard.tracking.writer import SummaryWriter

__version__ = "0.1.0"

__all__ = [
    "Config",
    "Field",
    "Run",
    "RunyardError",
    "StopRun",
    "SummaryWriter",
    "choice",
    "current_run",
    "expand",
    "grid",
    "load_model",
    "loguniform",
    "open_client",
    "read_manifest",
    "runs",
    "sample",
    "start_run",
    "submit",
    "sweep",
    "uniform",
    "value",
    "when",
    "zipped",
]

_HOMES = {
    "runyard.client": ("open_client",),
    "runyard.client.runs": ("runs",),
    "runyard.errors": ("RunyardError", "StopRun"),
    "runyard.project.submitting": ("submit",),
    "runyard.tracking": ("Run", "current_run", "start_run"),
    "runyard.tracking.models": ("load_model", "read_manifest"),
    "runyard.tracking.writer": ("SummaryWriter",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:  # the type depends on the name; TYPE_CHECKING above tells type checkers
    if name not in __all__:
        raise AttributeError(f"module 'runyard' has no attribute '{name}'")
    found = getattr(import_module(_HOME_OF.get(name, "runyard.config")), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
