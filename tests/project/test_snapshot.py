"""Freezing the code of a project, and laying it out again."""

import os
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from runyard.artifacts import ArtifactStore, Entry, Manifest, read_manifest
from runyard.errors import FormatUnknown, NotFound, ServiceError, UsageError
from runyard.journal import Home
from runyard.project.snapshot import MAX_FILE_BYTES, Snapshot, materialise, take


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home")


@pytest.fixture
def store(home: Home) -> ArtifactStore:
    return ArtifactStore(home.artifacts)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "weld-seam"
    (root / "src" / "visualization").mkdir(parents=True)
    (root / "data").mkdir()
    (root / ".gitignore").write_text("/data/\n")
    (root / "run.py").write_text("print('run')\n")
    (root / "src" / "train.py").write_text("x = 1\n")
    (root / "src" / "config.py").write_text("lr = 1\n")
    (root / "src" / "visualization" / "explore.py").write_text("page = 1\n")
    (root / "data" / "huge.bin").write_bytes(b"0" * 100)
    return root


def paths(snapshot: Snapshot, store: ArtifactStore) -> list[str]:
    return list(read_manifest(snapshot.id, store).files)


TAKEN = [".gitignore", "run.py", "src/config.py", "src/train.py", "src/visualization/explore.py"]


def test_plain_folder_is_taken_without_ignored_data(project: Path, store: ArtifactStore) -> None:
    snapshot = take(project, store)

    assert paths(snapshot, store) == TAKEN
    assert snapshot.warnings == ()


def test_repository_is_taken_with_uncommitted_and_without_deleted_files(project: Path, store: ArtifactStore) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=project, check=True)
    (project / "old.py").touch()
    subprocess.run(["git", "add", "."], cwd=project, check=True)
    (project / "old.py").unlink()
    (project / "src" / "new.py").touch()

    assert paths(take(project, store), store) == sorted([*TAKEN, "src/new.py"])


def test_folder_is_taken_without_git(project: Path, store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "env").mkdir()
    (project / "env" / "pyvenv.cfg").touch()
    (project / "src" / "__pycache__").mkdir()
    (project / "src" / "__pycache__" / "train.pyc").touch()
    monkeypatch.setenv("PATH", "")

    assert paths(take(project, store), store) == TAKEN


def test_nested_repository_is_taken_too(project: Path, store: ArtifactStore) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=project, check=True)
    inner = project / "src" / "vendored"
    inner.mkdir()
    subprocess.run(["git", "init", "--quiet"], cwd=inner, check=True)
    (inner / "lib.py").touch()

    assert "src/vendored/lib.py" in paths(take(project, store), store)


def test_same_code_is_the_same_snapshot(project: Path, store: ArtifactStore, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(project, copy)

    assert take(copy, store) == take(project, store)


@pytest.mark.parametrize(
    ("path", "is_other_code"),
    [("src/train.py", True), ("src/config.py", False), ("src/visualization/explore.py", False), ("run.py", False)],
)
def test_code_id_changes_with_what_can_change_a_result(
    project: Path, store: ArtifactStore, path: str, is_other_code: bool
) -> None:
    before = take(project, store)
    (project / path).write_text("other = 1\n")

    after = take(project, store)

    assert after.id != before.id
    assert (after.code_id != before.code_id) is is_other_code


def test_large_file_is_left_out_with_a_warning(project: Path, store: ArtifactStore) -> None:
    with (project / "model.bin").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)

    snapshot = take(project, store)

    assert paths(snapshot, store) == TAKEN
    assert "model.bin is left out: it has 21 MB" in snapshot.warnings[0]


def test_links_inside_are_kept_and_others_left_out(project: Path, store: ArtifactStore, home: Home) -> None:
    (project / "src" / "relative.py").symlink_to("train.py")
    (project / "src" / "absolute.py").symlink_to(project / "src" / "train.py")
    (project / "folder").symlink_to("src")
    (project / "outside").symlink_to("/etc/hostname")
    (project / "to_data").symlink_to("data")
    (project / "dangling").symlink_to("nothing")

    snapshot = take(project, store)
    shutil.move(project, project.with_name("moved"))
    laid_out = materialise(snapshot.id, store, home)

    assert [warning.split()[0] for warning in snapshot.warnings] == ["dangling", "outside", "to_data"]
    assert (laid_out / "src" / "relative.py").read_text() == "x = 1\n"
    assert (laid_out / "src" / "absolute.py").read_text() == "x = 1\n"
    assert (laid_out / "folder" / "train.py").read_text() == "x = 1\n"
    assert not (laid_out / "outside").is_symlink()


def test_pipe_is_left_out(project: Path, store: ArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(project / "pipe")
    monkeypatch.setenv("PATH", "")  # Git leaves pipes out by itself

    snapshot = take(project, store)

    assert snapshot.warnings == ("pipe is left out: it is no ordinary file.",)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_that_cannot_be_read_is_told(project: Path, store: ArtifactStore) -> None:
    (project / "secret.py").touch(mode=0)

    with pytest.raises(UsageError, match=r"secret.py"):
        take(project, store)


def test_folder_that_is_none_is_told(tmp_path: Path, store: ArtifactStore) -> None:
    with pytest.raises(UsageError, match="is no folder"):
        take(tmp_path / "nothing", store)


def test_snapshot_is_laid_out_as_it_was(project: Path, store: ArtifactStore, home: Home) -> None:
    (project / "tool.sh").write_text("#!/bin/sh\n")
    (project / "tool.sh").chmod(0o755)
    snapshot = take(project, store)
    (project / "src" / "train.py").write_text("nonsense(\n")

    laid_out = materialise(snapshot.id, store, home)

    assert laid_out == home.code / snapshot.id
    assert (laid_out / "src" / "train.py").read_text() == "x = 1\n"
    assert os.access(laid_out / "tool.sh", os.X_OK)
    assert not (laid_out / "data").exists()
    assert materialise(snapshot.id, store, home) == laid_out
    assert os.listdir(home.code) == [snapshot.id]


def test_many_may_lay_out_the_same_snapshot_at_once(project: Path, store: ArtifactStore, home: Home) -> None:
    snapshot = take(project, store)

    with ThreadPoolExecutor(8) as threads:
        places = set(threads.map(lambda _: materialise(snapshot.id, store, home), range(16)))

    assert places == {home.code / snapshot.id}
    assert os.listdir(home.code) == [snapshot.id]


def test_folder_that_a_power_cut_left_incomplete_is_laid_out_anew(
    project: Path, store: ArtifactStore, home: Home
) -> None:
    snapshot = take(project, store)
    laid_out = materialise(snapshot.id, store, home)
    (laid_out / "src" / "train.py").chmod(0o644)
    (laid_out / "src" / "train.py").write_bytes(b"")

    materialise(snapshot.id, store, home)

    assert (laid_out / "src" / "train.py").read_text() == "x = 1\n"
    assert os.listdir(home.code) == [snapshot.id]


def test_unknown_snapshot_is_not_found(store: ArtifactStore, home: Home) -> None:
    with pytest.raises(NotFound):
        materialise("0" * 64, store, home)


def test_snapshot_with_a_missing_file_is_not_found(project: Path, store: ArtifactStore, home: Home) -> None:
    snapshot = take(project, store)
    store.delete(read_manifest(snapshot.id, store).files["run.py"].sha256)

    with pytest.raises(NotFound):
        materialise(snapshot.id, store, home)
    assert os.listdir(home.code) == []


def test_damaged_file_is_noticed(project: Path, store: ArtifactStore, home: Home) -> None:
    snapshot = take(project, store)
    stored = store.path(read_manifest(snapshot.id, store).files["run.py"].sha256)
    stored.chmod(0o644)
    stored.write_text("print('not')\n")

    with pytest.raises(ServiceError, match="is damaged"):
        materialise(snapshot.id, store, home)


@pytest.mark.parametrize("path", ["../evil.py", "/etc/evil", "src/../../evil", "", ".", "src//a", "src/", "a\0b"])
def test_paths_that_lead_out_are_refused(store: ArtifactStore, home: Home, path: str) -> None:
    content = store.put_bytes(b"evil")
    evil = store.put_bytes(msgspec.json.encode(Manifest(files={path: Entry(sha256=content, size_bytes=4)})))

    with pytest.raises(ServiceError, match="may lead out"):
        materialise(evil, store, home)


def _through_a_link(content: str) -> dict[str, Entry]:
    return {"a": Entry(link="/tmp"), "a/evil": Entry(sha256=content, size_bytes=4)}


def _over_a_chain(content: str) -> dict[str, Entry]:
    return {"d/l": Entry(link=".."), "m": Entry(link="d/l/../..")}


@pytest.mark.parametrize("files", [_through_a_link, _over_a_chain])
def test_links_that_lead_out_are_refused(
    store: ArtifactStore, home: Home, files: Callable[[str], dict[str, Entry]]
) -> None:
    manifest = Manifest(files=files(store.put_bytes(b"evil")))
    evil = store.put_bytes(msgspec.json.encode(manifest))

    with pytest.raises(ServiceError):
        materialise(evil, store, home)
    assert os.listdir(home.code) == []
    assert not Path("/tmp/evil").exists()


def test_manifest_of_a_newer_format_is_refused(store: ArtifactStore, home: Home) -> None:
    newer = store.put_bytes(msgspec.json.encode(Manifest(format=2, files={})))

    with pytest.raises(FormatUnknown, match="format 2; this Runyard knows format 1"):
        materialise(newer, store, home)


def test_bytes_that_are_no_manifest_are_refused(store: ArtifactStore, home: Home) -> None:
    with pytest.raises(ServiceError, match="is damaged"):
        materialise(store.put_bytes(b"[1]"), store, home)
