"""When two configs are the same, and how ids survive changes of the class."""

from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar

import pytest

from runyard.config import Config, Field, identify, rehash, removed, rename
from runyard.config.model import Upgrade
from runyard.errors import ConfigError


class Before(Config):
    learning_rate: float = 0.1
    seed: int = 0


class After(Config):
    upgrades: ClassVar[list[Upgrade]] = [rename("learning_rate", "optim.lr"), removed("verbose")]

    class Optim(Config):
        lr: float = 0.1

    optim: Optim = Optim()
    seed: int = 0


class Grown(Config):
    learning_rate: float = 0.1
    seed: int = 0
    clip: float | None = None


def test_id_counts_every_setting_but_those_without_identity(default: Any) -> None:
    same = default.replace({"data.num_workers": 16})
    other = default.replace({"data.size": 225})

    assert identify(default) == identify(same)
    assert identify(default) != identify(other)
    assert len(identify(default).config_id) == 64
    assert identify(default).short == identify(default).config_id[:8]


def test_group_is_the_id_without_the_seed(default: Any) -> None:
    one, other = identify(default), identify(default.replace({"seed": 1}))

    assert one.group == other.group
    assert one.config_id != other.config_id


def test_spelling_of_a_number_makes_no_difference() -> None:
    class Number(Config):
        rate: float = 1.0
        anything: Any = 1

    assert len({identify(Number(rate=rate)).config_id for rate in (1, 1.0, 1e0)}) == 1
    assert identify(Number(anything=1)) == identify(Number(anything=1.0))
    assert identify(Number(rate=0.0)) == identify(Number(rate=-0.0))


def test_infinities_and_nan_have_ids_of_their_own() -> None:
    class Number(Config):
        rate: Any = 1.0

    found = [identify(Number(rate=rate)) for rate in (float("inf"), float("-inf"), float("nan"), "nan", "inf", None)]

    assert len(set(found)) == 6
    assert identify(Number(rate=float("nan"))) == identify(Number(rate=float("nan")))


def test_values_of_all_types_can_be_hashed_and_stored() -> None:
    class Colour(Enum):
        RED = "red"

    class Types(Config):
        folder: Path = Path("a/b")
        day: date = date(2026, 1, 1)
        colour: Colour = Colour.RED
        names: frozenset[str] = frozenset({"b", "a"})
        pair: tuple[int, str] = (1, "x")

    stored = Types().to_dict()

    assert stored == {
        "folder": "a/b",
        "day": "2026-01-01",
        "colour": "red",
        "names": ["a", "b"],
        "pair": [1, "x"],
    }
    assert rehash(stored, Types) == identify(Types())


def test_stored_config_keeps_its_id_when_a_field_is_added() -> None:
    assert rehash(Before(learning_rate=0.5).to_dict(), Grown) == identify(Grown(learning_rate=0.5))


def test_stored_config_follows_renamed_and_removed_keys() -> None:
    stored = {**Before(learning_rate=0.5).to_dict(), "verbose": True}

    assert rehash(stored, After) == identify(After().replace({"optim.lr": 0.5}))


def test_stored_config_without_a_place_for_a_key_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown key 'learning_rate'"):
        rehash(Before().to_dict(), type(After().optim))


def test_changing_a_field_from_int_to_float_keeps_ids() -> None:
    class AsInt(Config):
        size: int = 3

    class AsFloat(Config):
        size: float = 3.0

    assert identify(AsInt()) == identify(AsFloat())


def test_whole_block_can_be_left_out_of_the_identity() -> None:
    class Machine(Config):
        threads: int = 1

    class Whole(Config):
        machine: Machine = Field(Machine(), identity=False)

    assert identify(Whole()) == identify(Whole(machine=Machine(threads=8)))
