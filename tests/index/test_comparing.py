"""Comparing configs and folding seeds."""

import math

import pytest

from runyard.index import config_diff, flatten, group_runs
from tests.index.builders import Yard, a_spec


def test_only_settings_that_differ_are_shown() -> None:
    configs = {
        "r1": {"optim": {"lr": 0.1, "name": "adam"}, "layers": [1, 2], "amp": True},
        "r2": {"optim": {"lr": 0.2, "name": "adam"}, "layers": [1, 3], "amp": 1},
        "r3": {"optim": {"lr": 0.1, "name": "adam"}, "layers": [1, 2], "amp": True, "extra": None},
    }

    assert config_diff(configs) == {
        "optim.lr": {"r1": 0.1, "r2": 0.2, "r3": 0.1},
        "layers": {"r1": [1, 2], "r2": [1, 3], "r3": [1, 2]},
        "amp": {"r1": True, "r2": 1, "r3": True},
        "extra": {"r1": None, "r2": None, "r3": None},
    }


def test_equal_configs_differ_in_nothing() -> None:
    assert config_diff({"r1": {"lr": 1}, "r2": {"lr": 1.0}}) == {}
    assert config_diff({}) == {}


def test_keys_are_dotted_and_lists_stay_whole() -> None:
    assert flatten({"a": {"b": {"c": 1}}, "d": [{"e": 1}], "f": {}}) == {"a.b.c": 1, "d": [{"e": 1}]}


@pytest.fixture
def seeds(yard: Yard) -> Yard:
    """Two settings with three seeds each; one seed has diverged."""
    for number, (lr, accuracy) in enumerate(
        [(0.1, 0.8), (0.1, 0.9), (0.1, 1.0), (0.2, 0.5), (0.2, math.nan), (0.2, 0.7)]
    ):
        run_id = f"r{number}"
        yard.add(a_spec(run_id, group=f"lr{lr}", seed=number % 3, config={"lr": lr, "seed": number % 3}))
        yard.journal(run_id).log_many([0, 1], {"accuracy": [0.4, accuracy]})
    yard.index.catch_up()
    return yard


def test_seeds_fold_into_mean_spread_and_count(seeds: Yard) -> None:
    good, bad = group_runs(seeds.index.find(sort="id"))

    assert (good.run_ids, bad.run_ids) == (("r0", "r1", "r2"), ("r3", "r4", "r5"))
    assert good.metrics["accuracy"].mean == pytest.approx(0.9)
    assert good.metrics["accuracy"].std == pytest.approx(0.1)
    assert (good.metrics["accuracy"].n, bad.metrics["accuracy"].n) == (3, 2)
    assert bad.metrics["accuracy"].mean == pytest.approx(0.6)


def test_runs_group_by_any_setting_and_any_number_of_a_metric(seeds: Yard) -> None:
    groups = group_runs(seeds.index.find(sort="id"), by=["seed"], metrics=["accuracy", "nothing"], aggregate="min")

    assert [group.by for group in groups] == [{"seed": 0}, {"seed": 1}, {"seed": 2}]
    assert [list(group.metrics) for group in groups] == [["accuracy"]] * 3
    assert [group.metrics["accuracy"].mean for group in groups] == [0.4, 0.4, 0.4]


def test_a_single_run_has_no_spread(yard: Yard) -> None:
    yard.add(a_spec("r1"))
    yard.add(a_spec("r2"))
    yard.journal("r1").log(0, {"loss": 1.0})
    yard.index.catch_up()

    first, second = group_runs(yard.index.find(sort="id"))

    assert (first.metrics["loss"].std, second.metrics) == (None, {})
