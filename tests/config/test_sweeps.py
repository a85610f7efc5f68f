"""The algebra of sweeps, and the traps that users of other tools fall into."""

from collections.abc import Callable
from typing import Any

import pytest

from runyard.config import Sweep, choice, expand, grid, loguniform, randint, sample, uniform, when, zipped
from runyard.errors import ConfigError

Values = Callable[..., list[Any]]
Problems = Callable[..., list[str]]


def the_thirty() -> Sweep:
    """The example of the documentation: 2 x 2 x 2 = 8, 12 with branches, 10 after excluding, 30 with seeds."""
    s = zipped({"model.name": ["resnet18", "vit"], "data.size": [224, 384]})
    s *= grid({"optim.lr": [1e-3, 1e-2], "model.dropout": [0.0, 0.1]})
    s = when(s, {"model.name": "vit"}, grid({"model.patch": [8, 16]}))
    s = s.exclude({"model.patch": 8, "optim.lr": 1e-2})
    return s.repeat(3)


def test_example_has_thirty_runs_in_ten_groups(default: Any) -> None:
    plan = expand(default, the_thirty())

    assert (len(plan), plan.n_groups) == (30, 10)
    assert plan.preview_lines() == [
        "  zip   model.name, data.size      2      resnet18/224  vit/384",
        "  grid  optim.lr                   2      0.001 0.01",
        "  grid  model.dropout              2      0 0.1",
        "  when  model.name=vit            x2      model.patch 8 16",
        "                                  12 combinations",
        "  excluded                        -2      model.patch=8 & optim.lr=0.01",
        "  duplicates                       0",
        "  repeat                          x3      seed 0 1 2",
        "                                  30 runs in 10 groups",
    ]


def test_example_names_its_runs_as_documented(default: Any) -> None:
    names = [run.name for run in expand(default, the_thirty())]

    assert "name=vit,size=384,lr=0.01,dropout=0.1,patch=16/s2" in names
    assert len(set(names)) == 30


def test_appended_sweep_comes_last(default: Any) -> None:
    plan = expand(default, the_thirty() + grid({"model.name": ["resnet18"], "epochs": [1]}))

    assert len(plan) == 31
    assert plan[30].name == "name=resnet18,epochs=1/s0"
    assert plan[30].config.epochs == 1


def test_last_dimension_varies_fastest(default: Any) -> None:
    plan = expand(default, {"epochs": [1, 2], "data.size": [8, 9]})

    assert [(run.config.epochs, run.config.data.size) for run in plan] == [(1, 8), (1, 9), (2, 8), (2, 9)]


def test_seeds_in_a_grid_are_no_duplicates(default: Any) -> None:
    plan = expand(default, {"optim.lr": [1e-3, 1e-2], "model.hidden": [[64], [64, 64]], "seed": [0, 1, 2]})

    assert (len(plan), plan.n_groups) == (12, 4)


def test_value_written_twice_is_merged_and_reported(default: Any) -> None:
    plan = expand(default, {"epochs": [5, 5, 6]})

    assert [run.config.epochs for run in plan] == [5, 6]
    assert "  duplicates                      -1" in plan.preview_lines()
    assert plan.notes == ["1 row was merged: it is the same config as another"]


def test_duplicates_are_merged_before_repeating(default: Any) -> None:
    plan = expand(default, grid({"epochs": [5, 5]}).repeat(3))

    assert [run.seed for run in plan] == [0, 1, 2]


def test_repeat_counts_from_the_seed_of_the_config(default: Any) -> None:
    plan = expand(default.replace({"seed": 40}), grid({"epochs": [1]}).repeat(2))

    assert [run.seed for run in plan] == [40, 41]


def test_repeat_and_a_grid_of_seeds_contradict(problems: Problems) -> None:
    (problem,) = problems(overrides=grid({"seed": [0, 1]}).repeat(2))

    assert "'seed' is swept twice" in problem


def test_key_in_both_factors_of_a_product_is_refused(problems: Problems) -> None:
    assert problems(overrides=grid({"epochs": [1]}) * grid({"epochs": [2]})) == [
        "'epochs' is swept twice; each row would have two values for it"
    ]


def test_branches_leave_other_rows_alone(default: Any) -> None:
    plan = expand(default, when(grid({"model.name": ["resnet18", "vit"]}), {"model.name": "vit"}, {"epochs": [1, 2]}))

    assert [(run.config.model.name, run.config.epochs) for run in plan] == [("resnet18", 10), ("vit", 1), ("vit", 2)]


def test_condition_sees_the_default_where_a_row_says_nothing(default: Any) -> None:
    assert len(expand(default, when({"epochs": [1, 2]}, {"model.name": "resnet18"}, {"data.size": [8, 9]}))) == 4


def test_condition_with_a_list_means_any_of_them(default: Any) -> None:
    plan = expand(default, grid({"epochs": [1, 2, 3, 4]}).exclude({"epochs": [1, 4]}))

    assert [run.config.epochs for run in plan] == [2, 3]


def test_branch_that_matches_nothing_is_told(default: Any) -> None:
    plan = expand(default, when({"epochs": [1]}, {"model.name": "vit"}, {"model.patch": [8]}))

    assert plan.notes == ["no row matches when model.name=vit"]


def test_function_excludes_by_the_whole_config(default: Any) -> None:
    plan = expand(
        default,
        grid({"data.size": [224, 1024], "model.dropout": [0.0, 0.1]}).exclude(
            lambda c: c.data.size * c.model.dropout > 50, why="too large"
        ),
    )

    assert len(plan) == 3
    assert "  excluded                        -1      too large" in plan.preview_lines()


def test_grid_of_which_all_is_excluded_is_refused(problems: Problems) -> None:
    (problem,) = problems(overrides=grid({"epochs": [1]}).exclude({"epochs": 1}))

    assert "nothing is left" in problem


def test_unequal_lists_cannot_be_zipped(problems: Problems) -> None:
    assert problems(overrides=zipped({"model.name": ["resnet18", "vit"], "data.size": [1, 2, 3]})) == [
        "zip needs equally long lists: model.name has 2, data.size has 3"
    ]


def test_choosing_a_kind_takes_its_defaults(values: Values) -> None:
    overrides = {"optim.kind": ["adam", "sgd"]}

    assert values("optim.lr", overrides=overrides) == [0.001, 0.01]


def test_choosing_the_same_kind_keeps_the_default_s_values(default: Any) -> None:
    own = default.replace({"optim.lr": 0.5})

    assert [run.config.optim.lr for run in expand(own, {"optim.kind": ["adam", "sgd"]})] == [0.5, 0.01]


def test_key_of_another_kind_names_the_row_and_what_to_do(problems: Problems) -> None:
    overrides = {"optim.lr": [0.1, 0.2], "optim.kind": ["sgd", "adam"], "optim.momentum": [0.8]}

    assert problems(overrides=overrides) == [
        "row 2 (optim.kind=adam): 'optim.momentum' belongs to optim.kind=sgd only. "
        "Put it under when: {optim.kind: sgd} (and 1 more row)"
    ]


def test_key_of_a_kind_is_legal_under_when(values: Values) -> None:
    s = when(grid({"optim.kind": ["adam", "sgd"]}), {"optim.kind": "sgd"}, grid({"optim.momentum": [0.8, 0.9]}))

    assert values("optim.kind", overrides=s) == ["adam", "sgd", "sgd"]


def test_blocks_can_be_alternatives(default: Any) -> None:
    plan = expand(default, {"optim": [{"kind": "adam", "lr": [0.1, 0.2]}, {"kind": "sgd", "momentum": 0.5}]})

    assert [run.config.optim.kind for run in plan] == ["adam", "adam", "sgd"]


def test_plain_list_of_configs_is_a_plan(default: Any) -> None:
    plan = expand(default, [{"epochs": 1}, {"epochs": 2, "optim.kind": "sgd"}])

    assert [run.name for run in plan] == ["epochs=1", "epochs=2,kind=sgd"]


def test_python_values_are_strict(problems: Problems) -> None:
    assert problems(overrides={"epochs": [True, 2], "optim.lr": ["0.1"]}) == [
        "'epochs': True (item 1 of 2) is no int",
        "'optim.lr': '0.1' is no float",
    ]


def test_numpy_values_are_numbers(values: Values) -> None:
    np = pytest.importorskip("numpy")

    assert values("optim.lr", overrides={"optim.lr": np.array([0.1, 0.2])}) == [0.1, 0.2]
    assert values("epochs", overrides={"epochs": [np.int64(3)]}) == [3]
    assert values("epochs", overrides={"epochs": range(1, 4)}) == [1, 2, 3]


def test_draws_are_fixed_and_in_range(default: Any) -> None:
    space = {
        "optim.lr": loguniform(1e-5, 1e-1),
        "model.dropout": uniform(0.0, 0.5),
        "epochs": randint(1, 3),
        "optim.kind": choice("adam", "sgd"),
    }
    first, second = (expand(default, sample(20, space, seed=0)) for _ in range(2))

    assert [run.id for run in first] == [run.id for run in second]
    assert len(first) == 20
    assert {run.config.epochs for run in first} == {1, 2, 3}
    assert {run.config.optim.kind for run in first} == {"adam", "sgd"}
    assert all(1e-5 <= run.config.optim.lr <= 1e-1 for run in first)


def test_draws_of_a_key_stay_when_another_is_added(values: Values) -> None:
    alone = values("optim.lr", overrides=sample(5, {"optim.lr": loguniform(1e-5, 1e-1)}))
    beside = values("optim.lr", overrides=sample(5, {"epochs": randint(1, 99), "optim.lr": loguniform(1e-5, 1e-1)}))

    assert alone == beside


def test_branches_draw_anew(values: Values) -> None:
    s = when(grid({"epochs": [1, 2, 3]}), {"model.name": "resnet18"}, sample(1, {"optim.lr": loguniform(1e-5, 1)}))

    assert len(set(values("optim.lr", overrides=s))) == 3


@pytest.mark.parametrize(
    "wrong",
    [lambda: loguniform(0, 1), lambda: uniform(2, 1), choice, lambda: sample(0, {}), lambda: grid({}).repeat(0)],
)
def test_impossible_declarations_are_refused_where_they_are_written(wrong: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=r"needs|empty"):
        wrong()


def test_command_line_fixes_a_swept_key_and_the_preview_says_so(default: Any) -> None:
    plan = expand(default, {"optim.lr": [0.1, 0.2], "epochs": [1, 2]}, command_line=["optim.lr=0.5"])

    assert [run.config.optim.lr for run in plan] == [0.5, 0.5]
    assert plan.notes == ["optim.lr is fixed to 0.5 by the command line"]
    assert plan.preview_lines()[-1] == "  note: optim.lr is fixed to 0.5 by the command line"


def test_command_line_replaces_a_swept_key(default: Any) -> None:
    plan = expand(default, {"optim.lr": [0.1, 0.2], "epochs": [1, 2]}, command_line=["optim.lr=[1, 2, 3]"])

    assert len(plan) == 6
    assert plan.notes == ["optim.lr is varied by the command line instead"]


def test_command_line_fixes_one_column_of_a_zip(default: Any) -> None:
    zip_ = zipped({"model.name": ["resnet18", "vit"], "data.size": [1, 2]})

    assert [run.config.data.size for run in expand(default, zip_, command_line=["model.name=vit"])] == [1, 2]


def test_seed_on_the_command_line_ends_repeating(default: Any) -> None:
    plan = expand(default, grid({"epochs": [1, 2]}).repeat(3), command_line=["seed=7"])

    assert [run.seed for run in plan] == [7, 7]
    assert plan.notes == ["seed is set on the command line, so nothing is repeated"]


def test_conditions_see_the_command_line(default: Any) -> None:
    s = when(grid({"epochs": [1, 2]}), {"model.name": "vit"}, grid({"model.patch": [8, 16]}))

    assert len(expand(default, s, command_line=["model.name=vit"])) == 4


def test_setting_that_makes_no_difference_makes_no_runs(default: Any) -> None:
    assert len(expand(default, {"data.num_workers": [0, 2, 4]})) == 1


def test_wrong_condition_key_is_a_problem(problems: Problems) -> None:
    (problem,) = problems(overrides=grid({"epochs": [1]}).exclude({"modl.name": "vit"}))

    assert "unknown key 'modl.name'. Did you mean 'model.name'?" in problem


def test_project_s_own_rule_is_told_with_its_row() -> None:
    from pydantic import model_validator

    from runyard.config import Config

    class Ruled(Config):
        low: int = 0
        high: int = 9

        @model_validator(mode="after")
        def ordered(self) -> "Ruled":
            if self.low > self.high:
                raise ValueError("low must not be above high")
            return self

    with pytest.raises(ConfigError) as caught:
        expand(Ruled(), {"low": [1, 5], "high": [3, 7]})

    assert caught.value.problems == ["row 3 (low=5, high=3): low must not be above high"]
