"""New projects, and runs that travel."""

import os
from pathlib import Path

import pytest

from runyard.cli.main import run
from tests.cli.builders import Yard, runyard


def test_a_new_project_is_made_and_says_what_to_type_next(tmp_path: Path) -> None:
    done = runyard(tmp_path, "new", "seam", "--dir", str(tmp_path / "somewhere"))

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "somewhere" / "run.py").is_file()
    assert f"Next: cd {tmp_path / 'somewhere'}" in done.stderr


def test_a_name_that_is_none_and_a_framework_that_is_unknown_leave_nothing_behind(tmp_path: Path) -> None:
    name = runyard(tmp_path, "new", "../up")
    framework = runyard(tmp_path, "new", "seam", "--framework", "jax")

    assert (name.returncode, framework.returncode) == (2, 2)
    assert "is no name for a project" in name.stderr
    assert "sklearn" in framework.stderr
    assert os.listdir(tmp_path) == []


def test_a_run_travels_to_another_home(yard: Yard, tmp_path: Path) -> None:
    row = yard.run(name="full", files={"model": b"weights"}, output="hello\n")
    there = tmp_path / "there"
    there.mkdir()

    left = runyard(yard.path, "export", "full", "--out", "../full.tar.gz")
    came = runyard(there, "import", "../full.tar.gz")
    again = runyard(there, "import", "../full.tar.gz")

    assert left.returncode == 0, left.stderr
    assert f"{row.id} (full, weld) imported." in came.stdout
    assert "is here already" in again.stdout
    assert runyard(there, "logs", "last").stdout == "hello\n"
    assert runyard(there, "runs", "--json").stdout == runyard(yard.path, "runs", "--json").stdout


def test_a_file_that_is_no_export_is_refused(yard: Yard, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x").write_bytes(b"no archive")

    assert run(["import", str(tmp_path / "x")]) == 2
    assert run(["import", str(tmp_path / "y")]) == 2

    assert "is no intact export of a run" in capsys.readouterr().err
