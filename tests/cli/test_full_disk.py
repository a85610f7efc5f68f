"""Commands on a disk that is full: one sentence each, and afterwards nothing is missing or half."""

from contextlib import closing
from pathlib import Path

import pytest

from runyard.cli.main import run
from tests.cli.builders import Yard
from tests.disks import fill

COMMANDS = [
    ["runs"],
    ["note", "one", "a note"],
    ["tag", "one", "good"],
    ["rename", "one", "other"],
    ["rm", "one", "--yes"],
    ["reindex"],
    ["export", "one", "--out", "there.tar.gz"],
    ["export", "csv", "--out", "runs.csv"],
    ["import", "gone.tar.gz"],
    ["report", "one", "--out", "one.html"],
    ["notebook", "one"],
    ["backup", "there"],
]


@pytest.fixture
def yard(small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Yard:
    """A home with two runs; a third one was exported and is gone."""
    home = small_disk / "home"
    home.mkdir()
    monkeypatch.setenv("RUNYARD_HOME", str(home))
    monkeypatch.setenv("RUNYARD_LOCK_DIR", str(tmp_path / "locks"))
    monkeypatch.chdir(small_disk)
    yard = Yard(home)
    with closing(yard.client):
        yard.run(name="one", metrics={"loss": [1.0, 0.5]}, files={"model.bin": b"weights"})
        yard.run(name="two", metrics={"loss": [2.0]})
        yard.run(name="gone", metrics={"loss": [2.0]})
        for command in (
            ["export", "gone", "--out", "gone.tar.gz"],
            ["rm", "gone", "--yes"],
            ["trash", "empty", "--yes"],
        ):
            assert run(command) == 0
    return yard


def test_every_command_says_it_in_a_sentence_and_breaks_nothing(
    yard: Yard, small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(path.relative_to(small_disk) for path in small_disk.rglob("*") if "runyard.db" not in path.name)
    ballast = fill(small_disk)
    capsys.readouterr()

    codes = {" ".join(command): run(command) for command in COMMANDS}

    told = capsys.readouterr().err
    assert set(codes.values()) == {4}, codes
    assert told.count("error: ") == told.count("\n") == len(COMMANDS)
    ballast.unlink()
    assert run(["verify"]) == 0
    assert run(["runs", "--json"]) == 0
    assert '"one"' in capsys.readouterr().out
    left = sorted(path.relative_to(small_disk) for path in small_disk.rglob("*") if "runyard.db" not in path.name)
    assert left == before
