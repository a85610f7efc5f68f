"""The base class of configs."""

from typing import Any

import pytest
from pydantic import ValidationError

from runyard.config import Config
from runyard.errors import ConfigError


def test_config_is_frozen(default: Any) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        default.epochs = 3


def test_unknown_field_is_refused() -> None:
    class Small(Config):
        epochs: int = 1

    with pytest.raises(ValidationError, match="Extra inputs"):
        Small(epoch=3)  # type: ignore[call-arg]  # the mistake is the point


def test_replace_sets_dotted_keys_and_leaves_the_original(default: Any) -> None:
    changed = default.replace({"optim.lr": 0.5, "model": {"hidden": [8], "name": "vit"}})

    assert (changed.optim.lr, changed.model.hidden, changed.model.name) == (0.5, [8], "vit")
    assert default.optim.lr == 0.001
    assert type(changed) is type(default)


def test_replace_takes_configs_for_groups(default: Any) -> None:
    sgd = default.replace({"optim.kind": "sgd"}).optim

    assert default.replace({"optim": sgd}).optim == sgd


def test_replace_tells_all_problems(default: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        default.replace({"optm.lr": 0.5, "epochs": 0, "model.name": "vitt", "optim.momentum": 1.0})

    assert len(caught.value.problems) == 3
    with pytest.raises(ConfigError, match=r"'optim\.momentum' belongs to optim\.kind=sgd only"):
        default.replace({"optim.momentum": 1.0})


def test_stored_form_is_nested_and_plain(default: Any) -> None:
    stored = default.to_dict()

    assert stored["optim"] == {"kind": "adam", "lr": 0.001, "beta2": 0.999}
    assert stored["model"]["hidden"] == [64, 64]


def test_defaults_are_checked_too() -> None:
    class Wrong(Config):
        rate: float = "fast"  # type: ignore[assignment]  # the mistake is the point

    with pytest.raises(ValidationError):
        Wrong()
