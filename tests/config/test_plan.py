"""Plans: size limits, ids, order, sources, speed."""

import time
from typing import Any

import pytest

from runyard.config import Config, expand, grid
from runyard.errors import ConfigError


def test_empty_overrides_are_one_run_named_default(default: Any) -> None:
    (run,) = expand(default)

    assert run.name == "default"
    assert run.config == default
    assert run.changed == {}


def test_single_run_is_named_by_what_is_not_the_default(default: Any) -> None:
    (run,) = expand(default, command_line=["optim.lr=0.5", "seed=3"])

    assert run.name == "lr=0.5/s3"
    assert run.changed == {"seed": 3, "optim.lr": 0.5}


def test_more_than_two_hundred_runs_ask_for_yes(default: Any) -> None:
    sweep = grid({"data.size": range(1, 202)})

    with pytest.raises(ConfigError, match=r"201 runs: more than 200\. .*--yes"):
        expand(default, sweep)

    assert len(expand(default, sweep, yes=True)) == 201
    assert len(expand(default, sweep, max_runs=300)) == 201


def test_more_than_five_thousand_runs_need_a_number(default: Any) -> None:
    sweep = grid({"data.size": range(1, 5002)})

    with pytest.raises(ConfigError, match=r"5,001 runs: more than 5,000\. .*--max 5001"):
        expand(default, sweep, yes=True)


def test_grid_beyond_all_measure_is_refused_before_it_fills_the_memory(default: Any) -> None:
    sweep = grid({"data.size": range(10_000), "epochs": range(1, 10_000)})

    with pytest.raises(ConfigError, match="more than 5,000"):
        expand(default, sweep, yes=True)


def test_five_thousand_configs_expand_in_three_seconds(default: Any) -> None:
    sweep = grid(
        {
            "optim.kind": ["adam", "sgd"],
            "optim.lr": [n / 1000 for n in range(1, 51)],
            "model.hidden": [[n] for n in range(1, 11)],
            "seed": range(5),
        }
    )
    start = time.process_time()

    plan = expand(default, sweep, yes=True)

    assert len(plan) == 5_000
    assert time.process_time() - start < 3


def test_plan_id_is_the_same_for_the_same_configs_in_any_order(default: Any) -> None:
    one = expand(default, {"epochs": [1, 2], "data.size": [8, 9]})
    other = expand(default, {"data.size": [9, 8], "epochs": [2, 1]})

    assert one.id == other.id
    assert one.id != expand(default, {"epochs": [1, 2]}).id


def test_grown_grid_keeps_the_ids_of_the_runs_it_had(default: Any) -> None:
    before = expand(default, {"optim.lr": [0.1, 0.2]})
    after = expand(default, {"optim.lr": [0.1, 0.15, 0.2], "epochs": [10, 20]})

    assert {run.config_id for run in before} < {run.config_id for run in after}


def test_shuffle_keeps_the_runs_and_is_repeatable(default: Any) -> None:
    sweep = grid({"epochs": range(1, 21)})
    straight, first, second = expand(default, sweep), *(expand(default, sweep, shuffle=1) for _ in range(2))

    assert [run.id for run in first] == [run.id for run in second]
    assert [run.id for run in first] != [run.id for run in straight]
    assert first.id == straight.id


def test_every_key_tells_where_its_value_comes_from(default: Any) -> None:
    plan = expand(
        default,
        {"epochs": [1, 2], "data.size": [8]},
        base={"epochs": 5, "model.name": "vit", "data.root": "elsewhere"},
        command_line=["data.root=here"],
    )

    assert plan[0].sources == {
        "epochs": "grid",
        "model.name": "file",
        "data.root": "command line",
        "data.size": "grid",
    }
    assert plan[0].config.data.root == "here"


def test_preview_shows_what_the_caller_counted(default: Any) -> None:
    lines = expand(default, {"epochs": [1, 2]}).preview_lines(
        header="lr.yaml", finished=1, active=0, to_do=1, estimate="about 35 min on 1 GPU"
    )

    assert lines[0] == "lr.yaml"
    assert lines[-3:] == [
        "  already finished                 1",
        "  running or queued                0",
        "  to do                            1      about 35 min on 1 GPU",
    ]


def test_plan_prints_its_preview(default: Any, capsys: pytest.CaptureFixture[str]) -> None:
    expand(default, {"epochs": [1, 2]}).preview()

    assert "2 runs in 2 groups" in capsys.readouterr().out


def test_base_with_several_values_is_refused(default: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        expand(default, base={"epochs": [1, 2]})

    assert caught.value.problems == [
        "'epochs': [1, 2] is no int; base holds one value each. Did you mean to put it under grid?"
    ]


def test_repeat_needs_a_seed() -> None:
    class Seedless(Config):
        epochs: int = 1

    with pytest.raises(ConfigError, match="repeat needs a field 'seed' in Seedless"):
        expand(Seedless(), grid({"epochs": [1]}).repeat(2))


def test_config_without_a_seed_has_runs_without_one() -> None:
    class Seedless(Config):
        epochs: int = 1

    (run,) = expand(Seedless())

    assert run.seed is None
    assert run.group == run.config_id


def test_optional_block_can_be_set_and_taken_away() -> None:
    class Augment(Config):
        strength: float = 0.5

    class WithAugment(Config):
        augment: Augment | None = None

    plan = expand(WithAugment(), [{"augment.strength": 0.1}, {"augment": {}}, {"augment": None}])
    taken = expand(WithAugment(augment=Augment()), command_line=["augment=null"])

    assert [run.config.augment and run.config.augment.strength for run in plan] == [0.1, 0.5, None]
    assert taken[0].config.augment is None
