"""What a project's own tests call. These names never change: tests of a project are not updated with its template.

Plain functions that raise AssertionError, so that unittest and pytest both run them. Every name is imported when it is
first used: whoever tests a loader need not wait for what serves an app.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runyard.testing.behaviour import assert_cases, assert_direction, assert_invariant
    from runyard.testing.data import assert_batch, assert_disjoint, tiny_data
    from runyard.testing.determinism import deterministic
    from runyard.testing.model import assert_batch_independent, assert_forward, assert_gradients, assert_roundtrip
    from runyard.testing.rehearsal import Rehearsal, rehearse
    from runyard.testing.results import assert_matches_snapshot, assert_metric
    from runyard.testing.serving import served_app
    from runyard.testing.training import assert_overfits, assert_reproducible, assert_resumes

__all__ = [
    "Rehearsal",
    "assert_batch",
    "assert_batch_independent",
    "assert_cases",
    "assert_direction",
    "assert_disjoint",
    "assert_forward",
    "assert_gradients",
    "assert_invariant",
    "assert_matches_snapshot",
    "assert_metric",
    "assert_overfits",
    "assert_reproducible",
    "assert_resumes",
    "assert_roundtrip",
    "deterministic",
    "rehearse",
    "served_app",
    "tiny_data",
]

_HOMES = {
    "behaviour": ("assert_cases", "assert_direction", "assert_invariant"),
    "data": ("assert_batch", "assert_disjoint", "tiny_data"),
    "determinism": ("deterministic",),
    "model": ("assert_batch_independent", "assert_forward", "assert_gradients", "assert_roundtrip"),
    "rehearsal": ("Rehearsal", "rehearse"),
    "results": ("assert_matches_snapshot", "assert_metric"),
    "serving": ("served_app",),
    "training": ("assert_overfits", "assert_reproducible", "assert_resumes"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:  # the type depends on the name; TYPE_CHECKING above tells type checkers
    if name not in _HOME_OF:
        raise AttributeError(f"module 'runyard.testing' has no attribute '{name}'")
    found = getattr(import_module(f"runyard.testing.{_HOME_OF[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return list(__all__)
