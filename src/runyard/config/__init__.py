"""Typed defaults, overrides, grids, identity and names of configs.

Only what a training process needs is imported here; files, views and schemas are imported by name.
"""

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
