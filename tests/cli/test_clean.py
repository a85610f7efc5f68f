"""`runyard clean`: what a rule takes is shown before it is taken."""

import json

import pytest

from runyard.cli.main import run
from runyard.records import RunState
from tests.cli.builders import Yard


def test_a_dry_run_shows_and_takes_nothing(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    failed = yard.run(state=RunState.FAILED)
    yard.run(state=RunState.FAILED, tags=("keep",))

    assert run(["clean", "failed", "--older", "0", "--all", "--dry-run"]) == 0

    told = capsys.readouterr()
    assert failed.id in told.out
    assert "Move to the trash: 1 run, " in told.out
    assert "kept: 1 run tagged" in told.err
    assert yard.client.index.count(None, trashed=True) == 0


def test_failed_runs_go_to_the_trash_and_then_for_good(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    yard.run(state=RunState.FAILED)

    assert run(["clean", "failed", "--older", "1s", "--all", "--yes"]) == 0
    assert run(["clean", "trash", "--json", "--yes"]) == 0

    found = json.loads(capsys.readouterr().out.partition("\n{")[2].join(["{", ""]))
    assert found["size_bytes"] > 0
    assert yard.client.index.count(None, trashed=None) == 0


def test_checkpoints_come_back_from_the_trash(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    poor = yard.run(grid="g", metrics={"accuracy": [0.1]})
    folder = yard.client.folder(poor.id).checkpoints
    folder.mkdir()
    (folder / "last.pt").write_bytes(b"x" * 5000)
    (yard.client.home.path / "runyard.toml").write_text('name = "weld"\n\n[metrics]\naccuracy = "max"\n')
    (yard.client.home.path / "run.py").write_text("")
    yard.run(grid="g", metrics={"accuracy": [0.9]})

    assert run(["clean", "checkpoints", "--older", "0", "--yes"]) == 0
    assert not folder.exists()
    assert run(["trash", "restore", poor.id, "--checkpoints"]) == 0

    assert (folder / "last.pt").exists()


def test_without_a_yes_nothing_is_taken(yard: Yard, capsys: pytest.CaptureFixture[str]) -> None:
    yard.run(state=RunState.FAILED)

    assert run(["clean", "failed", "--older", "0", "--all"]) == 2
    assert run(["clean", "failed", "--older", "long", "--all"]) == 2

    assert yard.client.index.count(None, trashed=True) == 0
