"""docs/cli.md and docs/python.md say what is true."""

import re
from pathlib import Path

import pytest

import runyard
from runyard.cli.app import COMMANDS
from runyard.cli.main import run
from runyard.client.runs import Runs, TrackedRun
from tests.cli.builders import Yard

DOCS = Path(__file__).parents[2] / "docs"
CLI = (DOCS / "cli.md").read_text()
PYTHON = (DOCS / "python.md").read_text()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented_with_an_example(name: str) -> None:
    assert f"\n### {name}\n\n```\nrunyard {name}" in CLI


def test_every_public_name_of_a_run_and_of_runs_is_documented() -> None:
    names = {name for kind in (TrackedRun, Runs) for name in vars(kind) if not name.startswith("_")} - {"row", "spec"}

    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b", PYTHON)] == []


def test_the_python_examples_run(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    for lr in (0.1, 0.01):
        yard.run(
            config={"optim": {"lr": lr}},
            metrics={"train/loss": [2.0, 1.0], "val/accuracy": [0.5, 1 - lr]},
            files={"model": b"x"},
            output="hello\n",
        )
    namespace: dict[str, object] = {"runyard": runyard}

    for block in re.findall(r"```python\n(.*?)```", PYTHON, re.DOTALL):
        exec(compile(block, "docs/python.md", "exec"), namespace)

    assert namespace["best"].config == {"optim": {"lr": 0.01}}  # type: ignore[attr-defined]  # a TrackedRun
    assert "hello" in capsys.readouterr().out


def test_the_exit_codes_are_as_documented(yard: Yard) -> None:
    assert run(["runs"]) == 0
    assert run(["show", "nobody"]) == 2
    assert run(["stop", yard.run().id]) == 3
