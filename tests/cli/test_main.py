import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runyard import __version__
from runyard.cli.app import COMMANDS
from runyard.cli.main import run
from runyard.records import RunState
from tests.cli.builders import Yard, environment, runyard


@pytest.mark.parametrize("arguments", [["--help"], []])
def test_help_lists_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 0

    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0

    assert f"\n  runyard {name}" in capsys.readouterr().out


def test_help_and_completion_load_neither_database_nor_numpy(tmp_path: Path) -> None:
    program = (
        "import sys; from runyard.cli.main import run; import runyard.cli.completion as completion\n"
        "for arguments in (['--help'], ['show', '--help'], ['diff', '--help']): run(arguments)\n"
        "completion.run('x')\n"
        "heavy = ('sqlalchemy', 'numpy', 'copier', 'msgspec', 'runyard.client')\n"
        "print([name for name in heavy if name in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(tmp_path), capture_output=True, text=True, check=True
    )

    assert done.stdout.endswith("[]\n")


def test_version(tmp_path: Path) -> None:
    done = runyard(tmp_path, "--version")

    assert (done.returncode, done.stdout) == (0, f"runyard {__version__}\n")


def test_a_wrong_command_is_refused_with_the_likeliest_right_one(tmp_path: Path) -> None:
    done = runyard(tmp_path, "shwo", "x")

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: No such command 'shwo'. Did you mean 'show'")


def test_a_wrong_option_is_refused_before_anything_happens(tmp_path: Path) -> None:
    done = runyard(tmp_path, "runs", "--limitt", "3")

    assert done.returncode == 2
    assert "--limit" in done.stderr
    assert not (tmp_path / "runyard.db").exists()


def test_an_error_is_one_sentence_on_stderr_with_the_exit_code_of_its_branch(yard: Yard) -> None:
    ended = yard.run(name="done")

    missing = runyard(yard.path, "show", "nosuch")
    conflict = runyard(yard.path, "stop", ended.id)

    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr == "error: There is no run 'nosuch'. `runyard runs` lists them.\n"
    assert conflict.returncode == 3
    assert "has ended already" in conflict.stderr


def test_a_home_of_a_newer_format_is_refused_by_every_command(tmp_path: Path) -> None:
    (tmp_path / "home.json").write_text('{"format": 99}')

    done = runyard(tmp_path, "runs")

    assert done.returncode == 4
    assert "format 99; this Runyard knows format 1" in done.stderr


def test_the_home_can_be_chosen_on_the_command_line(yard: Yard, tmp_path: Path) -> None:
    yard.run(name="here")

    done = runyard(tmp_path / "elsewhere", "--home", str(yard.path), "runs", "--json", cwd=tmp_path)

    assert [row["name"] for row in json.loads(done.stdout)["runs"]] == ["here"]


def test_a_pipe_that_closes_early_is_no_error(yard: Yard) -> None:
    yard.run(output="a long line of output\n" * 20_000)
    command = [sys.executable, "-m", "runyard.cli.main", "logs", "last"]

    with subprocess.Popen(
        command, env=environment(yard.path), cwd=yard.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        error = process.stderr.read()

    assert error == b""
    assert process.returncode == 0


def test_ctrl_c_ends_a_command_with_a_clean_line(yard: Yard) -> None:
    row = yard.run(state=None, output="first\n")
    command = [sys.executable, "-m", "runyard.cli.main", "logs", row.id, "-f"]

    with subprocess.Popen(
        command, env=environment(yard.path), cwd=yard.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "first\n"
        os.kill(process.pid, signal.SIGINT)
        _, error = process.communicate(timeout=30)

    assert process.returncode == 130
    assert error == "\nerror: interrupted\n"


def test_completion_offers_runs_metrics_and_config_keys(yard: Yard) -> None:
    row = yard.run(name="lr=0.1", config={"optim": {"lr": 0.1}}, metrics={"val/accuracy": [0.5]})

    shows = complete(yard, f"runyard show {row.id[:3]}")
    names = complete(yard, "runyard show lr=")
    metrics = complete(yard, "runyard best --metric val")
    columns = complete(yard, "runyard runs --columns id,optim")

    assert row.id in shows
    assert "lr=0.1" in names
    assert "val/accuracy" in metrics
    assert "id,optim.lr" in columns


def test_completion_keeps_silent_about_a_home_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "runyard.db").write_text("no database")

    done = runyard(tmp_path, _RUNYARD_COMPLETE="complete_bash", COMP_WORDS="runyard show x", COMP_CWORD="2")

    assert (done.stdout.strip(), done.stderr) == ("", "")


def complete(yard: Yard, line: str) -> str:
    count = len(line.split()) - 1
    done = runyard(yard.path, _RUNYARD_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(count))
    assert done.stderr == ""
    return done.stdout


def test_states_that_wait_can_be_stopped_by_query(yard: Yard) -> None:
    waiting = yard.run(state=RunState.QUEUED)
    yard.run(name="done")

    assert run(["stop", "--where", 'project == "weld"']) == 0

    assert yard.client.index.get(waiting.id).state == RunState.STOPPED
