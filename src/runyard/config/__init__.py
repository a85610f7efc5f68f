"""Typed defaults, overrides, grids, identity and names of configs.

Every name is imported when it is first used: a training needs its config class, and no plans.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runyard.config.distributions import choice, loguniform, randint, uniform
    from runyard.config.fields import Field
    from runyard.config.identity import Identity, identify
    from runyard.config.model import Config, rehash, removed, rename, revalidate
    from runyard.config.overrides import parse_override, sweep_override
    from runyard.config.plain_defaults import as_config
    from runyard.config.plan import Plan, PlannedRun, expand
    from runyard.config.project import ProjectConfig, find_config
    from runyard.config.scalars import sweep, value
    from runyard.config.sweeps import Sweep, grid, sample, when, zipped

__all__ = [
    "Config",
    "Field",
    "Identity",
    "Plan",
    "PlannedRun",
    "ProjectConfig",
    "Sweep",
    "as_config",
    "choice",
    "expand",
    "find_config",
    "grid",
    "identify",
    "loguniform",
    "parse_override",
    "randint",
    "rehash",
    "removed",
    "rename",
    "revalidate",
    "sample",
    "sweep",
    "sweep_override",
    "uniform",
    "value",
    "when",
    "zipped",
]

_HOMES = {
    "distributions": ("choice", "loguniform", "randint", "uniform"),
    "fields": ("Field",),
    "identity": ("Identity", "identify"),
    "model": ("Config", "rehash", "removed", "rename", "revalidate"),
    "overrides": ("parse_override", "sweep_override"),
    "plain_defaults": ("as_config",),
    "plan": ("Plan", "PlannedRun", "expand"),
    "project": ("ProjectConfig", "find_config"),
    "scalars": ("sweep", "value"),
    "sweeps": ("Sweep", "grid", "sample", "when", "zipped"),
}
_HOME_OF = {name: f"runyard.config.{module}" for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:  # the type depends on the name; TYPE_CHECKING above tells type checkers
    if name not in _HOME_OF:
        raise AttributeError(f"module 'runyard.config' has no attribute '{name}'")
    found = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = found
    return found
