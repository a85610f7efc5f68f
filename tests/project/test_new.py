"""`runyard new`: a project from the template."""

import subprocess
from pathlib import Path

import pytest

from runyard.errors import UsageError
from runyard.project.new import FIRST_COMMIT, new, template_folder
from runyard.project.project import load_project

IDENTITY = "[user]\nname = Ada\nemail = ada@example.org\n"


@pytest.fixture(autouse=True)
def identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Git that knows who commits, whatever this machine's says; a test may empty the file."""
    config = tmp_path / "gitconfig"
    config.write_text(IDENTITY)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return config


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def test_new_project_is_one_and_has_a_first_commit(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made = new("weld-seam", tmp_path / "weld-seam")

    assert (made.path, made.note) == (tmp_path / "weld-seam", "")
    assert load_project(made.path).name == "weld-seam"
    assert git(made.path, "log", "--format=%s") == f"{FIRST_COMMIT}\n"
    assert git(made.path, "status", "--porcelain", "--ignored") == ""
    assert capfd.readouterr() == ("", "")


def test_name_alone_makes_a_folder_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert new("weld-seam").path == tmp_path / "weld-seam"


def test_empty_folder_may_be_filled(tmp_path: Path) -> None:
    target = tmp_path / "empty"
    target.mkdir()

    assert (new("weld-seam", target).path / "run.py").is_file()


def test_nothing_is_committed_in_the_name_of_nobody(tmp_path: Path, identity: Path) -> None:
    identity.write_text("")

    made = new("weld-seam", tmp_path / "weld-seam")

    assert "nothing was committed" in made.note
    assert "?? run.py" in git(made.path, "status", "--porcelain")


def test_no_repository_is_started_inside_another(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")

    made = new("weld-seam", tmp_path / "weld-seam")

    assert "lies in a Git repository already" in made.note
    assert not (made.path / ".git").exists()


def test_folder_that_a_repository_ignores_gets_its_own(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / ".gitignore").write_text("/demo/\n")

    made = new("weld-seam", tmp_path / "demo")

    assert made.note == ""
    assert (made.path / ".git").is_dir()


def test_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()

    with pytest.raises(UsageError, match="is not empty"):
        new("weld-seam", tmp_path)
    assert [file.name for file in tmp_path.iterdir() if file.name != "gitconfig"] == ["mine.txt"]


def test_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "weld-seam").touch()

    with pytest.raises(UsageError, match="exists and is no folder"):
        new("weld-seam", tmp_path / "weld-seam")


def test_bad_name_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no name for a project"):
        new("../evil", tmp_path / "evil")
    assert not (tmp_path / "evil").exists()


def test_unknown_framework_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no framework 'jax'"):
        new("weld-seam", tmp_path / "weld-seam", framework="jax")  # type: ignore[arg-type]  # as from a command line


def test_template_is_found_in_a_checkout() -> None:
    assert (template_folder() / "copier.yml").is_file()
