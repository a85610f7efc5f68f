"""Asking git about a folder."""

import subprocess
from pathlib import Path

import pytest

from runyard.supervisor.git import git_state


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "trunk")
    (tmp_path / "a.py").write_text("one\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qm", "First")
    return tmp_path


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


def test_a_clean_repository_has_commit_and_branch(repository: Path) -> None:
    state = git_state(repository)

    assert state is not None
    assert (len(state.commit), state.branch, state.is_dirty, state.diff) == (40, "trunk", False, b"")


def test_a_change_makes_it_dirty_and_is_in_the_diff(repository: Path) -> None:
    (repository / "a.py").write_text("two\n")

    state = git_state(repository)

    assert state is not None
    assert state.is_dirty
    assert b"-one\n+two\n" in state.diff


def test_a_detached_head_has_no_branch(repository: Path) -> None:
    git(repository, "checkout", "-q", "--detach")

    state = git_state(repository)

    assert state is not None
    assert state.branch is None


def test_a_plain_folder_has_no_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    assert git_state(tmp_path) is None


def test_without_git_there_is_no_state(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    assert git_state(repository) is None
