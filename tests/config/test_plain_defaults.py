"""Dict and dataclass defaults, as older projects have them."""

import pickle
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from runyard.config import as_config, expand, identify
from runyard.errors import ConfigError


@dataclass
class Optim:
    lr: float = 0.1
    kind: Literal["adam", "sgd"] = "adam"


@dataclass
class Settings:
    epochs: int = 3
    optim: Optim = field(default_factory=Optim)


OLD_STYLE = {
    "epochs": 3,
    "rate": 1.0,
    "flag": False,
    "hidden": [64, 32],
    "mixed": [1, 0.5],
    "checkpoint": None,
    "optim": {"lr": 0.1, "betas": (0.9, 0.999)},
    "copy": True,
    "classes": {},
    "labels": {"0": "ok", "1": "scratch"},
}


def test_dict_default_is_typed_by_its_values() -> None:
    (run,) = expand(OLD_STYLE, command_line=["optim.lr=0.5", "flag=yes", "hidden=[8]", "mixed=[1.5, 2]"])

    assert run.config.to_dict() == {
        **OLD_STYLE,
        "optim": {"lr": 0.5, "betas": [0.9, 0.999]},
        "flag": True,
        "hidden": [8],
        "mixed": [1.5, 2.0],
    }


def test_dict_default_expands_a_grid() -> None:
    assert len(expand(OLD_STYLE, {"optim.lr": [0.1, 0.2], "hidden": [[8], [16, 8]]})) == 4


def test_whole_number_as_default_refuses_a_fraction() -> None:
    with pytest.raises(ConfigError, match=r"'epochs': 0\.5 is no int"):
        expand(OLD_STYLE, {"epochs": [0.5]})


def test_none_as_default_takes_anything_but_needs_a_mark_for_lists() -> None:
    (run,) = expand(OLD_STYLE, command_line=["checkpoint=best.pt"])
    with pytest.raises(ConfigError, match="can be one value or 2 values"):
        expand(OLD_STYLE, {"checkpoint": ["a", "b"]})

    assert run.config.checkpoint == "best.pt"


def test_dataclass_default_keeps_its_types() -> None:
    plan = expand(Settings(epochs=5), {"optim.lr": [0.1, 0.2]})

    assert [run.config.optim.lr for run in plan] == [0.1, 0.2]
    assert plan[0].config.epochs == 5
    with pytest.raises(ConfigError, match="is none of 'adam', 'sgd'"):
        expand(Settings(), command_line=["optim.kind=adm"])


def test_config_of_a_dict_reads_like_the_dict() -> None:
    config = as_config(OLD_STYLE)

    assert config["optim"]["lr"] == 0.1  # type: ignore[index]  # a config made of a dict; typed as any config
    with pytest.raises(KeyError):
        config["learning_rate"]  # type: ignore[index]


def test_config_of_a_dict_can_be_sent_to_another_process() -> None:
    (run,) = expand(OLD_STYLE, command_line=["optim.lr=0.5"])

    received = pickle.loads(pickle.dumps(run.config))

    assert received.to_dict() == run.config.to_dict()
    assert received["optim"]["lr"] == 0.5


def test_dict_and_class_of_the_same_content_have_the_same_id() -> None:
    assert identify(as_config(Settings())) == identify(as_config({"epochs": 3, "optim": {"lr": 0.1, "kind": "adam"}}))


@pytest.mark.parametrize(("wrong", "said"), [(Settings, r"Write Settings\(\)"), (3, "not int"), (None, "not NoneType")])
def test_default_of_another_type_is_refused(wrong: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        as_config(wrong)
