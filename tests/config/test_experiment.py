"""Experiment files: blocks, lines in errors, stored configs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runyard.config.experiment import Experiment, load_experiment
from runyard.errors import ConfigError

Load = Callable[..., Experiment]
DOCUMENTED = """\
config: src.config:TrainConfig        # may be left out
base:                                  # plain overrides, one value each
  epochs: 20
zip:
  - {model.name: [resnet18, vit], data.size: [224, 384]}
grid:
  optim.lr: [1e-3, 1e-2]
  model.hidden: [[64], [64, 64]]       # list[int]: two values
when:
  - if: {model.name: vit}
    grid: {model.patch: [8, 16]}
exclude:
  - {model.patch: 8, optim.lr: 1e-2}
repeat: 3
resources: {gpus: 1, time: 2h}
"""


@pytest.fixture
def load(default: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Write files and load the first of them, by a path as a user types it."""
    monkeypatch.chdir(tmp_path)

    def of(text: str, **others: str) -> Experiment:
        Path("lr.yaml").write_text(text)
        for name, content in others.items():
            Path(f"{name}.yaml").write_text(content)
        return load_experiment("lr.yaml", default)

    return of


@pytest.fixture
def problems(load: Load) -> Callable[..., list[str]]:
    """The problems of a file, found when it is read or expanded."""

    def of(text: str, **others: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(text, **others).expand()
        return caught.value.problems

    return of


def test_documented_file_is_read_as_a_whole(load: Load) -> None:
    experiment = load(DOCUMENTED)
    plan = experiment.expand()

    assert experiment.name == "lr"
    assert (experiment.resources.gpus, experiment.resources.time_limit_s) == (1, 7200.0)
    assert (len(plan), plan.n_groups) == (30, 10)
    assert {run.config.epochs for run in plan} == {20}
    assert plan[0].sources["epochs"] == "file"


def test_command_line_comes_after_the_file(load: Load) -> None:
    plan = load(DOCUMENTED).expand(command_line=["epochs=1", "optim.lr=0.5"])

    assert {(run.config.epochs, run.config.optim.lr) for run in plan} == {(1, 0.5)}
    assert plan.notes == ["optim.lr is fixed to 0.5 by the command line"]


def test_numbers_are_those_of_yaml_1_2(load: Load) -> None:
    plan = load("base: {optim.lr: 1e-3, data.root: no}\ngrid: {data.extra: !sweep [12:30:00, yes, 0o17]}").expand()

    assert [run.config.data.extra for run in plan] == ["12:30:00", "yes", 15]
    assert (plan[0].config.optim.lr, plan[0].config.data.root) == (0.001, "no")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("base:\n  epochs: true", "lr.yaml:2: 'epochs': true is no int"),
        ("base:\n  epochs: '3'", "lr.yaml:2: 'epochs': '3' is no int"),
        ("base:\n  epochs: 3.5", "lr.yaml:2: 'epochs': 3.5 is no int"),
        ("grid:\n  optim.lr:\n    - 0.1\n    - off", "lr.yaml:4: 'optim.lr': 'off' (item 2 of 2) is no float"),
        (
            "base:\n  epochs: [1, 2]",
            "lr.yaml:2: 'epochs': [1, 2] is no int; base holds one value each. Did you mean to put it under grid?",
        ),
        ("repeat: yes", "lr.yaml:1: repeat is a whole number of at least 1, not 'yes'"),
        ("chain: 3", "lr.yaml:1: chain is a list of blocks"),
        ("exclude: [3]", "lr.yaml:1: exclude is a list of mappings, not of 3"),
        ("exclude:\n  - {}", "lr.yaml:2: an empty exclude would leave nothing"),
        ("when:\n  - grid: {epochs: [1]}", "lr.yaml:2: when needs an if, such as {if: {model.name: vit}, grid: {…}}"),
        ("grid: {seed: [1, 2]}\nrepeat: 3", "lr.yaml:1: 'seed' is swept twice"),
        ("grid: [1]", "lr.yaml:1: grid is a mapping of keys to values, not 1"),
        ("resources: 3", "lr.yaml:1: resources is a mapping, such as {gpus: 1, time: 2h}"),
        ("resources: {gpus: -1}", "lr.yaml:1: 'resources.gpus': -1 is no whole number"),
        (
            "resources: {time: soon}",
            "lr.yaml:1: 'resources.time': 'soon' is no duration. Write it as 2h, 30m, 90s or 1h30m",
        ),
        ("config: src.config:Other", "lr.yaml:1: the file is for src.config:Other, but this project's DEFAULT is a "),
        ("- 1", "lr.yaml:1: a file of settings is a mapping of keys to values, not [1]"),
        ("grid: {epochs: [1, 2}", "lr.yaml:1: this is no YAML: "),
        ("grid:\n  epochs: [1]\n  epochs: [2]", "lr.yaml:3: 'epochs' is written twice; it is already in line 2"),
        (
            "zip:\n- {epochs: [1, 2], data.size: [1]}",
            "lr.yaml:2: zip needs equally long lists: epochs has 2, ",
        ),
        ("grid:\n  optim.kind: [adam]\n  optim.momentum: [1.0]", "lr.yaml:3: 'optim.momentum' belongs to optim.kind="),
    ],
)
def test_problem_names_file_and_line(problems: Callable[..., list[str]], text: str, complaint: str) -> None:
    (problem,) = problems(text)

    assert problem.startswith(complaint)


def test_misspelt_key_names_its_line_and_the_right_one(problems: Callable[..., list[str]]) -> None:
    (problem,) = problems("grid:\n  epochs: [1]\n  model.hiden: [[1]]")

    assert problem.startswith("lr.yaml:3: unknown key 'model.hiden'. Did you mean 'model.hidden'?")


def test_all_problems_of_a_file_are_told_at_once(problems: Callable[..., list[str]]) -> None:
    found = problems(
        """\
base:
  epochs: [1, 2]
  model.hiden: [1]
grid:
  optim.lr: [1e-3, x]
wen: []
exclude:
  - {modl.name: x}
repeat: -1
resources: {gpu: 1, time: 2x}
"""
    )

    assert sorted(int(problem.split(":")[1]) for problem in found) == [2, 3, 5, 6, 8, 9, 10, 10]


def test_setting_outside_of_base_is_told_where_it_belongs(problems: Callable[..., list[str]]) -> None:
    (problem,) = problems("epochs: 3\ngrid: {data.size: [8, 9]}\n")

    assert problem.startswith("lr.yaml:1: unknown block 'epochs'; settings stand under base")


def test_chained_blocks_are_appended(load: Load) -> None:
    plan = load(
        "grid: {epochs: [1, 2]}\nchain:\n- {grid: {data.size: [8, 9]}, repeat: 2}\n- base: {optim.kind: sgd}\n"
    ).expand()

    assert [run.name for run in plan][:2] == ["epochs=1/s0", "epochs=2/s0"]
    assert len(plan) == 2 + 4 + 1
    assert plan[6].config.optim.kind == "sgd"


def test_outer_repeat_holds_for_chained_blocks_too(load: Load) -> None:
    plan = load("chain:\n- grid: {epochs: [1, 2]}\n- grid: {data.size: [8]}\nrepeat: 2\n").expand()

    assert len(plan) == 6


def test_included_file_comes_first_and_may_be_overridden(load: Load) -> None:
    plan = load(
        "include: common.yaml\nbase: {epochs: 7}\n",
        common="base: {epochs: 1, data.size: 99}\ngrid: {optim.lr: [1, 2]}\n",
    ).expand()

    assert [(run.config.epochs, run.config.data.size, run.config.optim.lr) for run in plan] == [(7, 99, 1), (7, 99, 2)]


def test_included_file_names_itself_in_problems(problems: Callable[..., list[str]]) -> None:
    found = problems("include: common.yaml\n", common="include: x.yaml\nbase:\n  epoch: 1\n")

    assert found[0] == "common.yaml:1: an included file cannot include another; one level is allowed"
    assert found[1].startswith("common.yaml:3: unknown key 'epoch'")


def test_missing_file_is_told(default: Any) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml cannot be read: No such file"):
        load_experiment("nowhere.yaml", default)


def test_stored_config_is_a_config_file(default: Any, load: Load) -> None:
    stored = default.replace({"optim": {"kind": "sgd", "momentum": 0.5}, "seed": 3}).to_dict()
    experiment = load(json.dumps(stored))
    (run,) = experiment.expand()
    (changed,) = experiment.expand(command_line=["epochs=40", "optim.kind=adam"])

    assert run.config.to_dict() == stored
    assert run.sources["optim.momentum"] == "file"
    assert not experiment.has_sweep
    assert (changed.config.epochs, changed.config.optim.beta2) == (40, 0.999)
    assert changed.sources["epochs"] == "command line"


def test_stored_config_with_an_unknown_key_names_its_line(problems: Callable[..., list[str]]) -> None:
    (problem,) = problems("seed: 1\nmodel:\n  name: vit\n  width: 3\n")

    assert problem.startswith("lr.yaml:4: unknown key 'model.width'")


def test_block_without_content_is_none(load: Load) -> None:
    assert load("grid:\nbase:\n").expand().preview_lines() == ["                                   1 run in 1 group"]


def test_empty_file_is_the_default(default: Any, load: Load) -> None:
    assert load("").expand()[0].config == default


def test_branch_may_hold_a_kind_s_own_keys(load: Load) -> None:
    plan = load(
        "grid: {optim.kind: [adam, sgd]}\nwhen:\n- if: {optim.kind: sgd}\n  grid: {optim.momentum: [0.8, 0.9]}\n"
    ).expand()

    assert [run.name for run in plan] == ["kind=adam", "kind=sgd,momentum=0.8", "kind=sgd,momentum=0.9"]


def test_reason_of_an_exclusion_is_shown(load: Load) -> None:
    lines = load("grid: {epochs: [1, 2]}\nexclude:\n- {epochs: 2, why: too slow}\n").expand().preview_lines()

    assert "  excluded                        -1      epochs=2 (too slow)" in lines
