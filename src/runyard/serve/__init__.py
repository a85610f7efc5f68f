"""The inference service: what a project's container runs. It knows nothing of runs, queues and homes.

Names are imported when they are first used: `ArrayInput` stands in a project's src/inference.py, which `run.py infer`
imports, too, and must not bring a web framework along.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runyard.serve.arrays import ArrayInput, Upload
    from runyard.serve.refusals import Refused
    from runyard.serve.service import Service, serve

__all__ = ["ArrayInput", "Refused", "Service", "Upload", "serve"]

_HOMES = {
    "ArrayInput": "runyard.serve.arrays",
    "Refused": "runyard.serve.refusals",
    "Service": "runyard.serve.service",
    "Upload": "runyard.serve.arrays",
    "serve": "runyard.serve.service",
}


def __getattr__(name: str) -> Any:  # the type depends on the name; TYPE_CHECKING above tells type checkers
    if name not in _HOMES:
        raise AttributeError(f"module 'runyard.serve' has no attribute '{name}'")
    found = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found
