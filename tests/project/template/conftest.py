"""Projects of the template, rendered once and copied for each test."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from runyard.project.new import new


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        (folder / ".gitconfig").write_text("[user]\nname = Ada\nemail = ada@example.org\n")
        return new("weld-seam", folder / "weld-seam").path


@pytest.fixture
def project(rendered: Path, user_home: Path) -> Path:
    """A new project with its first commit."""
    return shutil.copytree(rendered, user_home.parent / "weld-seam")


@pytest.fixture
def git() -> Callable[..., str]:
    """Run Git in a folder; it must succeed."""

    def call(folder: Path, *arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout

    return call
