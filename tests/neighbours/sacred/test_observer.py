"""The real Sacred writes through our observer."""

import re
import signal
from pathlib import Path

import pytest

from runyard import runs
from runyard.client.runs import Runs
from tests.integrations.scripts import wait_for_supervisor
from tests.neighbours.sacred.running import run_sacred, start_sacred

OBSERVED = """
from runyard.bridges.sacred import RunyardObserver
ex.observers.append(RunyardObserver())
"""


def recorded(folder: Path) -> Runs:
    """The runs of the folder's home, each with its end, oldest first."""
    for run in (folder / "home" / "runs").iterdir():
        wait_for_supervisor(run / "attempts" / "1" / "host.journal")
    return runs(home=folder / "home", sort="created_at")


def test_an_experiment_is_recorded_with_all_that_belongs_to_it(sacred: Path, tmp_path: Path) -> None:
    run_sacred(sacred, tmp_path, OBSERVED + "ex.run(config_updates={'lr': 0.3}, options={'--comment': 'try'})\n")

    (run,) = recorded(tmp_path)
    assert (run.state, run.project, run.tags, run.note) == ("COMPLETED", "weld", ("baseline",), "try")
    assert run.config["lr"] == 0.3
    assert run.config["optim"] == {"name": "adam", "betas": [0.9, 0.99]}
    assert run.series("val.acc").steps.tolist() == [step * 2 for step in range(20)]
    assert run.series("loss").values.tolist()[:3] == [1.0, 0.5, 1 / 3]
    assert run.summary["result/acc"].last == 0.5
    files = {file.name: file for file in run.artifacts()}
    assert set(files) == {"weights.bin", "sources/train.py"}
    assert files["weights.bin"].path is not None
    assert files["weights.bin"].path.read_bytes() == b"weights"
    texts = {row.key: media.data.decode() for row, media in run.media()}
    assert texts["output"].startswith("begins")
    assert texts["info"] == '{"window": [0.0, 1.0, 2.0]}'


def test_no_logged_point_is_lost_when_the_process_is_killed(sacred: Path, tmp_path: Path) -> None:
    endless = OBSERVED + (
        "@ex.command\n"
        "def endless(_run):\n"
        "    step = 0\n"
        "    while True:\n"
        "        _run.log_scalar('loss', step, step)\n"
        "        os.write(1, b'%d\\n' % step)  # told after it was logged\n"
        "        step += 1\n"
        "SETTINGS.CAPTURE_MODE = 'no'\n"
        "ex.run('endless')\n"
    )
    with start_sacred(sacred, tmp_path, endless) as process:
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(137)]
        process.send_signal(signal.SIGKILL)
        told += [int(line) for line in process.stdout.read().split("\n")[:-1]]  # what the pipe held: a random moment

    (run,) = recorded(tmp_path)
    steps = run.series("loss").steps.tolist()
    assert steps[: len(told)] == told
    assert len(steps) - len(told) <= 1  # one may have been logged and not told
    assert run.state == "INTERRUPTED"


def test_how_an_experiment_ended_is_told(sacred: Path, tmp_path: Path) -> None:
    ends = """
    import sacred.utils
    @ex.command
    def timeout():
        print("waiting")
        raise sacred.utils.TimeoutInterrupt()
    @ex.command
    def keyboard():
        raise KeyboardInterrupt
    for command, updates in (("main", {"fail": True}), ("timeout", {}), ("keyboard", {})):
        try:
            ex.run(command, config_updates=updates)
        except BaseException:
            pass
    """
    run_sacred(sacred, tmp_path, OBSERVED + ends.replace("\n    ", "\n"))

    failed, timed, stopped = recorded(tmp_path)
    assert (failed.state, failed.reason) == ("FAILED", "ValueError: diverged")
    assert "begins" in failed.media("output")[0][1].data.decode()  # Sacred itself loses the output of such a run
    assert (timed.state, timed.reason) == ("STOPPED", "by the training itself: TIMEOUT")
    assert stopped.state == "STOPPED"


def test_experiments_inside_each_other_are_runs_below_each_other(sacred: Path, tmp_path: Path) -> None:
    nested = """
    @ex.command(unobserved=False)
    def outer(_run):
        _run.log_scalar("outer", 1)
        ex.run()
        _run.log_scalar("outer", 2)
    ex.run("outer")
    """
    run_sacred(sacred, tmp_path, OBSERVED + nested.replace("\n    ", "\n"))

    outer, inner = recorded(tmp_path)
    assert (outer.state, inner.state, inner.row.parent) == ("COMPLETED", "COMPLETED", outer.id)
    assert outer.series("outer").values.tolist() == [1.0, 2.0]
    assert "loss" in inner.summary


def test_what_cannot_be_recorded_leaves_the_experiment_alone(sacred: Path, tmp_path: Path) -> None:
    odd = """
    @ex.command
    def odd(_run):
        _run.log_scalar("text", "no number")
        _run.log_scalar("", 1)
        _run.log_scalar("half", 1, step=0.5)
        _run.log_scalar("fine", 1)
        _run.add_artifact("missing.bin")
        return object()
    print(type(ex.run("odd").result).__name__, os.path.exists("home/runs"))
    """
    printed = run_sacred(sacred, tmp_path, OBSERVED + odd.replace("\n    ", "\n"))

    assert "object True" in printed
    (run,) = recorded(tmp_path)
    assert (run.state, set(run.summary)) == ("COMPLETED", {"fine"})


def test_a_home_that_cannot_be_written_leaves_the_experiment_alone(sacred: Path, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("no folder")

    printed = run_sacred(sacred, tmp_path, OBSERVED + "print(ex.run().status)\n")

    assert "COMPLETED" in printed


def test_the_example_of_the_documentation_runs(sacred: Path, tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "coming-from-sacred.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)

    run_sacred(sacred, tmp_path, example)

    (run,) = recorded(tmp_path)
    assert (run.project, run.state, run.summary["loss"].count) == ("weld-seam", "COMPLETED", 10)


@pytest.mark.parametrize("first", [True, False])
def test_ids_of_sacreds_own_observers_stay_theirs(sacred: Path, tmp_path: Path, first: bool) -> None:
    both = "ex.observers.append(FileStorageObserver('fs'))\n"
    program = (OBSERVED + both if first else both + OBSERVED) + "print(ex.run()._id)\n"

    printed = run_sacred(sacred, tmp_path, program)

    assert printed.split()[-1] == "1"
    (run,) = recorded(tmp_path)
    assert run.config["sacred"]["id"] == "1"
    assert run.name == "weld 1 main"
