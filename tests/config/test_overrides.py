"""Tokens of the command line: how they are decoded, and how errors read."""

# ruff: noqa: RUF012  (pydantic copies mutable defaults)

from collections.abc import Callable
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from runyard.config import Config, expand
from runyard.errors import ConfigError

Values = Callable[..., list[Any]]
Problems = Callable[..., list[str]]


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Types(Config):
    flag: bool = False
    count: int = 1
    rate: float = 0.5
    version: str = "1"
    maybe: float | None = None
    number_or_text: int | str = 0
    folder: Path = Path("data")
    day: date = date(2026, 1, 1)
    colour: Colour = Colour.RED
    pair: tuple[int, float] = (1, 2.0)
    names: list[str] = []
    weights: dict[str, float] = {}


@pytest.mark.parametrize(
    ("token", "key", "expected"),
    [
        ("flag=true", "flag", True),
        ("flag=yes", "flag", True),
        ("flag=off", "flag", False),
        ("count=1e3", "count", 1000),
        ("count=-3", "count", -3),
        ("rate=1e-3", "rate", 0.001),
        ("rate=inf", "rate", float("inf")),
        ("rate=.inf", "rate", float("inf")),
        ("version=1.10", "version", "1.10"),
        ("version=no", "version", "no"),
        ("version=", "version", ""),
        ("version=a=b", "version", "a=b"),
        ("version=null", "version", "null"),
        ("maybe=null", "maybe", None),
        ("maybe=none", "maybe", None),
        ("maybe=0.1", "maybe", 0.1),
        ("number_or_text=12", "number_or_text", 12),
        ("number_or_text=twelve", "number_or_text", "twelve"),
        ("folder=no", "folder", Path("no")),
        ("day=2026-11-23", "day", date(2026, 11, 23)),
        ("colour=blue", "colour", Colour.BLUE),
        ("pair=[3, 0.5]", "pair", (3, 0.5)),
        ("names=[1.10, no, 'x y']", "names", ["1.10", "no", "x y"]),
        ("weights={scratch: 2, dent: 0.5}", "weights", {"scratch": 2.0, "dent": 0.5}),
    ],
)
def test_text_is_decoded_by_the_type_of_its_field(token: str, key: str, expected: Any) -> None:
    (run,) = expand(Types(), command_line=[token])

    found = getattr(run.config, key)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("token", "complaint"),
    [
        ("count=true", "'count': true is no int"),
        ("count=1.5", "'count': 1.5 is no int"),
        ("rate=true", "'rate': true is no float"),
        ("rate=fast", "'rate': 'fast' is no float"),
        ("flag=2", "'flag': 2 is no bool"),
        ("colour=blu", "'colour': 'blu' is none of 'red', 'blue'. Did you mean 'blue'?"),
        ("maybe=x", "'maybe': 'x' is no float | None"),
        ("pair=[1]", "'pair': [1] is no tuple[int, float]"),
    ],
)
def test_text_that_does_not_fit_is_refused(token: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        expand(Types(), command_line=[token])

    assert caught.value.problems == [complaint]


@pytest.mark.parametrize(
    ("key", "guess"),
    [
        ("optm.lr", "optim.lr"),
        ("lr", "optim.lr"),
        ("optim.learning_rate", "optim.lr"),
        ("optimizer.lr", "optim.lr"),
        ("model.hiden", "model.hidden"),
        ("Epochs", "epochs"),
    ],
)
def test_unknown_key_is_answered_with_the_nearest_one(problems: Problems, key: str, guess: str) -> None:
    (problem,) = problems(f"{key}=1")

    assert problem.startswith(f"unknown key '{key}'. Did you mean '{guess}'?")
    assert problem.endswith("keys; `run.py config keys` lists them)")


def test_unknown_key_without_a_near_one_lists_the_keys_beside_it(problems: Problems) -> None:
    (problem,) = problems("optim.zzz=1")

    assert "The keys of 'optim' are kind, lr, beta2, momentum" in problem


@pytest.mark.parametrize(
    ("token", "complaint"),
    [
        ("optim.lr=[0.1, x]", "'optim.lr': 'x' (item 2 of 2) is no float"),
        ("optim.lr=-1", "'optim.lr': -1 is no float > 0"),
        ("optim.lr=[0.1, -1]", "'optim.lr': -1 (item 2 of 2) is no float > 0"),
        ("model.name=vitt", "'model.name': 'vitt' is none of 'resnet18', 'vit'. Did you mean 'vit'?"),
    ],
)
def test_bad_values_are_named(problems: Problems, token: str, complaint: str) -> None:
    assert problems(token) == [complaint]


def test_all_problems_are_told_at_once(problems: Problems) -> None:
    found = problems("optm.lr=1", "epochs=x", "model.name=vitt", "data.size=[1,y,z]")

    assert len(found) == 5
    assert [key for key in ("optm.lr", "epochs", "model.name", "data.size") if key in "\n".join(found)] == [
        "optm.lr",
        "epochs",
        "model.name",
        "data.size",
    ]


@pytest.mark.parametrize("token", ["--epochs=3", "epochs", "=3"])
def test_token_that_is_no_assignment_is_explained(problems: Problems, token: str) -> None:
    (problem,) = problems(token)

    assert token in problem
    assert "KEY=VALUE" in problem or "epochs=3" in problem


def test_key_given_twice_is_refused(problems: Problems) -> None:
    assert problems("epochs=1", "epochs=2") == ["'epochs' is given twice on the command line"]


def test_group_of_keys_takes_a_mapping(values: Values) -> None:
    assert values("optim.momentum", "optim={kind: sgd, momentum: 0.5}") == [0.5]


def test_group_of_keys_refuses_a_number(problems: Problems) -> None:
    (problem,) = problems("optim=1")

    assert "'optim': 1 is no group of keys" in problem


def test_key_of_another_kind_is_refused_with_the_kind_it_belongs_to(problems: Problems) -> None:
    (problem,) = problems("optim.momentum=0.5")

    assert problem.startswith("'optim.momentum' belongs to optim.kind=sgd only.")
    assert "Here optim.kind=adam" in problem
