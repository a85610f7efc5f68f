import json

import pytest

from runyard.cli.main import run
from runyard.records import RunState
from tests.cli.builders import Yard


def a_grid(yard: Yard) -> None:
    for lr, values in ((0.1, (0.7, 0.9)), (0.01, (0.84, 0.86)), (0.001, (0.2,))):
        for seed, value in enumerate(values):
            yard.run(
                name=f"lr={lr}/s{seed}",
                config={"lr": lr, "seed": seed},
                group=f"g{lr}",
                metrics={"val/accuracy": [0.1, value, value - 0.1], "loss": [2.0, 1 - value]},
            )


def board(text: str) -> list[str]:
    return [line.rsplit("  ", 1)[-1] for line in text.splitlines()[1:]]


def test_the_best_mean_over_seeds_comes_first(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    a_grid(yard)

    assert run(["best", "--metric", "val/accuracy"]) == 0

    shown = capsys.readouterr().out
    assert board(shown) == ["lr=0.01", "lr=0.1", "lr=0.001"]
    assert "0.850 ± 0.014" in shown


def test_low_is_good_for_a_loss_and_the_goal_can_be_said(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    a_grid(yard)

    assert run(["best", "--metric", "loss"]) == 0
    low = board(capsys.readouterr().out)
    assert run(["best", "--metric", "loss", "--goal", "max"]) == 0
    high = board(capsys.readouterr().out)

    assert low == ["lr=0.01", "lr=0.1", "lr=0.001"]
    assert high[0] in ("lr=0.1", "lr=0.01", "lr=0.001")


def test_json_names_the_best_run_of_each_group(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    a_grid(yard)

    assert run(["best", "--metric", "val/accuracy", "--last", "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert (found["metric"], found["goal"], found["statistic"]) == ("val/accuracy", "max", "last")
    names = [yard.client.index.get(group["best_run"]).name for group in found["groups"]]
    assert names == ["lr=0.01/s1", "lr=0.1/s1", "lr=0.001/s0"]
    assert found["groups"][0]["metrics"]["val/accuracy"]["mean"] == pytest.approx(0.75)


def test_runs_that_did_not_complete_take_no_part_unless_asked_for(
    yard: Yard, capsys: pytest.CaptureFixture[str]
) -> None:
    a_grid(yard)
    yard.run(name="lucky", config={"lr": 9.0}, state=RunState.FAILED, metrics={"val/accuracy": [0.99]})

    assert run(["best"]) == 0
    assert "lr=9" not in capsys.readouterr().out
    assert run(["best", "--unfinished"]) == 0
    assert board(capsys.readouterr().out)[0] == "lr=9"


def test_a_metric_that_nobody_has_is_refused_with_a_guess(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    a_grid(yard)

    assert run(["best", "--metric", "val/acuracy"]) == 2

    assert "Did you mean 'val/accuracy'?" in capsys.readouterr().err


def test_no_runs_at_all_is_said(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["best"]) == 2

    assert "No completed run has logged a metric yet." in capsys.readouterr().err


def test_a_reproduction_does_not_count_as_another_seed(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    yard.run(config={"lr": 0.1}, group="g", metrics={"loss": [0.5]})
    yard.run(config={"lr": 0.1}, group="g", metrics={"loss": [0.5]}, tags=("reproduction",))

    assert run(["best", "--metric", "loss", "--json"]) == 0

    assert [found["n"] for found in json.loads(capsys.readouterr().out)["groups"]] == [1]
