"""Names of runs, for people."""

from typing import Any

import pytest

from runyard.config import expand
from runyard.config.names import LONGEST_NAME, format_value, name_runs, short_keys


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.1, "0.1"),
        (1e-05, "1e-05"),
        (1e20, "1e+20"),
        (True, "on"),
        (False, "off"),
        (None, "none"),
        ([64, 64], "64x64"),
        ([], "empty"),
        ("data/my train", "data-my-train"),
        ("vit_b=16", "vit_b=16"),
        ("ünïcode", "n-code"),
    ],
)
def test_values_are_written_in_safe_characters(value: Any, shown: str) -> None:
    assert format_value(value) == shown


def test_keys_are_cut_to_their_shortest_own_ending() -> None:
    assert short_keys(["optim.lr", "head.lr", "data.size"]) == {
        "optim.lr": "optim.lr",
        "head.lr": "head.lr",
        "data.size": "size",
    }
    assert short_keys(["lr", "optim.lr"]) == {"lr": "lr", "optim.lr": "optim.lr"}


def test_long_name_is_cut_and_gets_the_id() -> None:
    (name,) = name_runs([{"root": "x" * 200}], ["9e126859"], [2])

    assert name == f"root={'x' * (LONGEST_NAME - 14)}~9e126859/s2"
    assert len(name.removesuffix("/s2")) == LONGEST_NAME


def test_names_that_would_be_equal_get_the_id() -> None:
    names = name_runs([{"lr": 0.1000000001}, {"lr": 0.1000000002}], ["aaaaaaaa", "bbbbbbbb"], [None, None])

    assert names == ["lr=0.1~aaaaaaaa", "lr=0.1~bbbbbbbb"]


def test_only_what_varies_is_in_a_name(default: Any) -> None:
    plan = expand(default, {"optim.lr": [0.1, 0.2], "epochs": [5]})

    assert [run.name for run in plan] == ["lr=0.1", "lr=0.2"]


def test_seed_is_the_last_part(default: Any) -> None:
    plan = expand(default, {"seed": [0, 1], "epochs": [5]})

    assert [run.name for run in plan] == ["epochs=5/s0", "epochs=5/s1"]
