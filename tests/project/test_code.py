"""The code state of a run."""

import subprocess
from pathlib import Path

from runyard.artifacts import ArtifactStore
from runyard.project.code import read_code
from runyard.project.project import Project


def a_project(root: Path) -> Project:
    (root / "src").mkdir(parents=True)
    (root / "src" / "train.py").write_text("x = 1\n")
    return Project(root=root, name="weld-seam")


def test_repository_gives_commit_and_diff(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "artifacts")
    project = a_project(tmp_path / "weld-seam")
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")
    for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "First"]):
        subprocess.run(["git", *identity, *arguments], cwd=project.root, check=True)
    (project.root / "src" / "train.py").write_text("x = 2\n")

    code, warnings = read_code(project, store)

    assert warnings == ()
    assert code.commit is not None
    assert code.is_dirty
    assert code.diff is not None
    assert b"+x = 2" in store.path(code.diff).read_bytes()


def test_plain_folder_gives_a_snapshot_alone(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "artifacts")

    code, _ = read_code(a_project(tmp_path / "weld-seam"), store)

    assert code.snapshot is not None
    assert store.has(code.snapshot)
    assert (code.commit, code.diff) == (None, None)
