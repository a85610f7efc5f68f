"""The training process: what it imports from where, and how it tells its end."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.artifacts import ArtifactStore
from runyard.journal import MAIN
from runyard.journal.events import Ended, Failed, Finished, Started, StopObeyed
from runyard.project import snapshot
from runyard.project.child import run_inline
from runyard.records import CodeState, RunState
from tests.supervisor.bench import Bench, events, output


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def as_before() -> Iterator[None]:
    """Training inline changes this process; put it back."""
    folder, path, modules = Path.cwd(), list(sys.path), set(sys.modules)
    yield
    os.chdir(folder)
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name == "src" or name.startswith("src."):
            del sys.modules[name]


def test_train_gets_the_typed_config_and_the_run(bench: Bench) -> None:
    bench.a_project(
        "print(type(config).__name__, config.lr, run.id, run.config is config)", config="    lr: float = 1\n"
    )
    run = bench.a_run(config={"lr": 0.25})

    bench.supervise(run)

    assert output(run) == f"TrainConfig 0.25 {run.id} True\n"


def test_the_working_folder_is_the_project(bench: Bench) -> None:
    run = bench.a_run("print(os.getcwd())")

    bench.supervise(run)

    assert output(run) == f"{bench.project}\n"


def test_a_queued_run_uses_the_code_of_its_snapshot_and_the_data_of_the_project(bench: Bench) -> None:
    project = bench.a_project("print('old', open('data.txt').read())")
    taken = snapshot.take(project, ArtifactStore(bench.home.artifacts))
    run = bench.a_run("nonsense", is_queued=True, code=CodeState(snapshot=taken.id))
    (project / "data.txt").write_text("data")

    ended = bench.supervise(run)

    assert ended.state == RunState.COMPLETED
    assert output(run) == "old data\n"


def test_a_named_folder_of_code_comes_first(bench: Bench) -> None:
    (bench.folder / "other").mkdir()
    other = Bench(bench.folder / "other")
    other.a_project("print('the other')")
    run = bench.a_run("print('the project')")

    bench.supervise(run, env={"RUNYARD_CODE": str(other.project)})

    assert output(run) == "the other\n"


def test_a_syntax_error_is_told_with_its_place(bench: Bench) -> None:
    run = bench.a_run("def train(config, run)\n    pass\n")

    ended = bench.supervise(run)

    assert ended.state == RunState.FAILED
    assert ended.reason.startswith("SyntaxError: expected ':'")
    assert "train.py" in output(run)
    assert "importlib" not in output(run)


def test_an_import_that_fails_shows_the_projects_lines_alone(bench: Bench) -> None:
    run = bench.a_run("import not_installed_anywhere\ndef train(config, run):\n    pass\n")

    ended = bench.supervise(run)

    assert ended.reason == "ModuleNotFoundError: No module named 'not_installed_anywhere'"
    assert "runyard" not in output(run)
    assert "importlib" not in output(run)


def test_a_missing_function_is_told_in_a_sentence(bench: Bench) -> None:
    run = bench.a_run("def training(config, run):\n    pass\n", entry="src.train:fit")

    ended = bench.supervise(run)

    assert ended.state == RunState.FAILED
    assert "src/train.py has no function 'fit'" in ended.reason


def test_a_wrong_signature_is_told_in_a_sentence(bench: Bench) -> None:
    run = bench.a_run("def train(config):\n    pass\n")

    ended = bench.supervise(run)

    assert "train of src/train.py is called as train(config, run), but takes (config)" in ended.reason


def test_a_config_that_does_not_fit_fails_before_training(bench: Bench) -> None:
    run = bench.a_run("print('never')", config={"learning_rate": 0.1})

    ended = bench.supervise(run)

    assert ended.state == RunState.FAILED
    assert "learning_rate" in ended.reason
    assert "never" not in output(run)


def test_a_project_folder_that_is_gone_is_told_in_a_sentence(bench: Bench) -> None:
    run = bench.a_run("pass", project_dir="/nowhere/at/all")

    ended = bench.supervise(run)

    assert "The project's folder /nowhere/at/all cannot be entered" in ended.reason


def test_sys_exit_without_a_code_is_a_plain_end(bench: Bench) -> None:
    assert bench.supervise(bench.a_run("sys.exit()")).state == RunState.COMPLETED


def test_a_training_that_raises_stop_run_stopped_itself(bench: Bench) -> None:
    run = bench.a_run("from runyard import StopRun\nraise StopRun('diverged')")

    ended = bench.supervise(run)

    assert (ended.state, ended.reason) == (RunState.STOPPED, "by the training itself: diverged")
    assert events(run, StopObeyed, stream=MAIN)


def test_a_forked_child_that_raises_does_not_end_the_run(bench: Bench) -> None:
    run = bench.a_run("pid = os.fork()\nif pid == 0:\n    raise ValueError('in the child')\nos.waitpid(pid, 0)")

    assert bench.supervise(run).state == RunState.COMPLETED


def test_lines_of_both_streams_appear_in_order(bench: Bench) -> None:
    run = bench.a_run("print('1')\nprint('2', file=sys.stderr)\nprint('3')\nos.system('echo 4')")

    bench.supervise(run)

    assert output(run) == "1\n2\n3\n4\n"


@pytest.mark.usefixtures("as_before")
def test_inline_training_is_recorded_like_any_other(bench: Bench) -> None:
    run = bench.a_run("run.log(loss=1.0)")

    run_inline(run.path, 1, data={})

    assert events(run, Finished, stream=MAIN)
    assert events(run, Started)[0].pid == os.getpid()
    assert events(run, Ended)[0].state == RunState.COMPLETED


@pytest.mark.usefixtures("as_before")
def test_inline_failures_reach_the_debugger_and_the_journal(bench: Bench) -> None:
    run = bench.a_run("raise ValueError('no')")

    with pytest.raises(ValueError, match="no"):
        run_inline(run.path, 1, data={})

    assert events(run, Failed, stream=MAIN)[0].type == "ValueError"
    assert (events(run, Ended)[0].state, events(run, Ended)[0].reason) == (RunState.FAILED, "ValueError: no")
