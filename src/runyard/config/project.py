"""What a project's `src/config.py` declares: DEFAULT, and maybe OVERRIDE."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from runyard.config.model import Config
from runyard.config.plain_defaults import as_config
from runyard.config.sweeps import Sweep, as_sweep
from runyard.errors import ConfigError


@dataclass(frozen=True, eq=False)
class ProjectConfig:
    """The default of a project as a config, and its grid if it declares one."""

    default: Any
    override: Sweep | None
    declared: Any  # DEFAULT as it is written: a Config, a dict or a dataclass


def find_config(module: ModuleType) -> ProjectConfig:
    """Read DEFAULT and OVERRIDE of an imported `src.config`.

    Raises:
        ConfigError: DEFAULT is missing or something else than a config; OVERRIDE is no sweep; all at once.
    """
    file = getattr(module, "__file__", None) or module.__name__
    problems: list[str] = []
    default = _default(module, file, problems)
    override = _override(module, file, problems)
    if problems:
        raise ConfigError(problems)
    return ProjectConfig(default, override, module.DEFAULT)


def _default(module: ModuleType, file: str, problems: list[str]) -> Any:
    if not hasattr(module, "DEFAULT"):
        classes = [name for name, found in vars(module).items() if _is_own_config_class(found, module)]
        name = classes[-1] if classes else "TrainConfig"
        near = next((other for other in vars(module) if other.upper() in ("DEFAULT", "DEFAULTS", "CONFIG")), "")
        hint = f"'{near}' is not read. " if near else ""
        problems.append(f"{file} has no DEFAULT. {hint}Write DEFAULT = {name}() at its end")
        return None
    try:
        return as_config(module.DEFAULT)
    except ConfigError as error:
        problems.extend(f"{file}: DEFAULT: {problem}" for problem in error.problems)
        return None


def _override(module: ModuleType, file: str, problems: list[str]) -> Sweep | None:
    declared = getattr(module, "OVERRIDE", None)
    if declared is None:
        return None
    if not isinstance(declared, Sweep | Mapping | list | tuple):
        text = f"a mapping of keys to values, or made by grid() and the like, not {type(declared).__name__}"
        problems.append(f"{file}: OVERRIDE is {text}")
        return None
    return as_sweep(declared)


def _is_own_config_class(found: Any, module: ModuleType) -> bool:
    return isinstance(found, type) and issubclass(found, Config) and found.__module__ == module.__name__
