"""What is found in a project's `src/config.py`."""

from types import ModuleType
from typing import Any

import pytest

from runyard.config import Config, expand, find_config, grid
from runyard.errors import ConfigError


def a_module(**declared: Any) -> ModuleType:
    module = ModuleType("src.config")
    module.__file__ = "src/config.py"
    vars(module).update(declared)
    return module


def test_default_and_override_are_found(default: Any) -> None:
    found = find_config(a_module(DEFAULT=default, OVERRIDE={"epochs": [1, 2]}))

    assert found.default is default
    assert len(expand(found.default, found.override)) == 2


def test_dict_default_becomes_a_config() -> None:
    found = find_config(a_module(DEFAULT={"epochs": 1}))

    assert isinstance(found.default, Config)
    assert found.declared == {"epochs": 1}
    assert found.override is None


def test_sweep_is_taken_as_it_is(default: Any) -> None:
    sweep = grid({"epochs": [1]})

    assert find_config(a_module(DEFAULT=default, OVERRIDE=sweep)).override is sweep


def test_missing_default_says_what_to_write(default: Any) -> None:
    own = type("TrainConfig", (Config,), {"__module__": "src.config"})

    with pytest.raises(ConfigError, match=r"src/config\.py has no DEFAULT\. Write DEFAULT = TrainConfig\(\)"):
        find_config(a_module(TrainConfig=own))
    with pytest.raises(ConfigError, match="'default' is not read"):
        find_config(a_module(default=default))


def test_all_that_is_wrong_is_told_at_once(default: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        find_config(a_module(DEFAULT=type(default), OVERRIDE=3))

    assert caught.value.problems == [
        "src/config.py: DEFAULT: the default is the class TrainConfig. Write TrainConfig(), with parentheses",
        "src/config.py: OVERRIDE is a mapping of keys to values, or made by grid() and the like, not int",
    ]
