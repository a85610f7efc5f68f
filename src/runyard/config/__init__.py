"""Typed defaults, overrides, grids, identity and names of configs."""

from runyard.config.distributions import choice, loguniform, randint, uniform
from runyard.config.durations import parse_duration_s, parse_size_bytes
from runyard.config.editor_schema import config_schema, experiment_schema
from runyard.config.experiment import Experiment, load_experiment
from runyard.config.fields import Field
from runyard.config.identity import Identity, identify
from runyard.config.model import Config, rehash, removed, rename, revalidate
from runyard.config.overrides import parse_override, sweep_override
from runyard.config.plain_defaults import as_config
from runyard.config.plan import Plan, PlannedRun, expand
from runyard.config.project import ProjectConfig, find_config
from runyard.config.scalars import sweep, value
from runyard.config.sweeps import Sweep, grid, sample, when, zipped
from runyard.config.views import (
    ABSENT,
    ConfigDiff,
    DeclaredKey,
    DifferingKey,
    ShownKey,
    diff_configs,
    list_keys,
    show_config,
)

__all__ = [
    "ABSENT",
    "Config",
    "ConfigDiff",
    "DeclaredKey",
    "DifferingKey",
    "Experiment",
    "Field",
    "Identity",
    "Plan",
    "PlannedRun",
    "ProjectConfig",
    "ShownKey",
    "Sweep",
    "as_config",
    "choice",
    "config_schema",
    "diff_configs",
    "expand",
    "experiment_schema",
    "find_config",
    "grid",
    "identify",
    "list_keys",
    "load_experiment",
    "loguniform",
    "parse_duration_s",
    "parse_override",
    "parse_size_bytes",
    "randint",
    "rehash",
    "removed",
    "rename",
    "revalidate",
    "sample",
    "show_config",
    "sweep",
    "sweep_override",
    "uniform",
    "value",
    "when",
    "zipped",
]
