"""What Git tells of a folder."""

import subprocess
from pathlib import Path

import pytest

from runyard.errors import ServiceError
from runyard.git import call_git, list_files, read_state


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--initial-branch=trunk")
    (tmp_path / "a.py").write_text("x = 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "First")
    return tmp_path


def test_clean_repository_has_commit_and_branch(repository: Path) -> None:
    state = read_state(repository)

    assert state is not None
    assert state.commit is not None
    assert (len(state.commit), state.branch, state.is_dirty, state.diff) == (40, "trunk", False, b"")


def test_changes_are_in_the_diff(repository: Path) -> None:
    (repository / "a.py").write_text("x = 2\n")

    state = read_state(repository)

    assert state is not None
    assert state.is_dirty
    assert b"+x = 2" in state.diff


def test_untracked_file_makes_it_dirty_without_a_diff(repository: Path) -> None:
    (repository / "b.py").touch()

    state = read_state(repository)

    assert state is not None
    assert (state.is_dirty, state.diff) == (True, b"")


def test_change_elsewhere_in_the_repository_does_not_count(repository: Path) -> None:
    project = repository / "project"
    project.mkdir()
    (project / "run.py").touch()
    git(repository, "add", ".")
    git(repository, "commit", "-m", "Second")
    (repository / "a.py").write_text("x = 3\n")

    state = read_state(project)

    assert state is not None
    assert not state.is_dirty


def test_repository_without_a_commit_has_none(tmp_path: Path) -> None:
    git(tmp_path, "init", "--initial-branch=trunk")
    (tmp_path / "a.py").touch()

    state = read_state(tmp_path)

    assert state is not None
    assert (state.commit, state.branch, state.is_dirty) == (None, "trunk", True)


def test_detached_head_has_no_branch(repository: Path) -> None:
    git(repository, "checkout", "--detach")

    state = read_state(repository)

    assert state is not None
    assert state.branch is None


def test_plain_folder_has_no_state(tmp_path: Path) -> None:
    assert read_state(tmp_path) is None


def test_folder_that_the_repository_around_it_ignores_has_no_state(repository: Path) -> None:
    (repository / ".gitignore").write_text("/demo/\n")
    demo = repository / "demo"
    demo.mkdir()
    (demo / "run.py").touch()

    assert read_state(demo) is None
    assert list_files(demo) == ["run.py"]


def test_variables_of_a_git_hook_do_not_lead_astray(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", str(repository / "nowhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(repository / "nowhere" / "index"))

    assert read_state(repository) is not None
    assert list_files(repository) == ["a.py"]


def test_no_git_is_no_state(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))

    assert read_state(repository) is None
    assert list_files(repository) is None


def test_plain_folder_is_listed_by_its_gitignore(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.log\n!keep.log\n")
    for name in ("a.py", "drop.log", "keep.log"):
        (tmp_path / name).touch()

    assert list_files(tmp_path) == [".gitignore", "a.py", "keep.log"]


def test_a_failure_is_told_by_what_was_fatal_and_not_by_the_advice_behind_it(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="fatal: '/nowhere' does not appear to be a git repository"):
        call_git(tmp_path, "ls-remote", "--", "/nowhere")
