"""Files by content: stored once, whole or not at all."""

import hashlib
import multiprocessing
from pathlib import Path

import pytest

from runyard.artifacts import ArtifactStore
from runyard.errors import NotFound

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


def put_often(root: str, data: bytes) -> None:
    for _ in range(20):
        ArtifactStore(Path(root)).put_bytes(data)


def test_what_was_put_comes_back_under_its_sha256(store: ArtifactStore, tmp_path: Path) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(b"weights" * 500_000)

    sha256 = store.put_file(file)

    assert sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    with store.open(sha256) as stored:
        assert stored.read() == file.read_bytes()
    assert store.size(sha256) == file.stat().st_size


def test_equal_content_is_stored_once(store: ArtifactStore, tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"same")

    assert store.put_file(file) == store.put_bytes(b"same")

    assert store.sizes() == {hashlib.sha256(b"same").hexdigest(): 4}
    assert len([path for path in store.root.rglob("*") if path.is_file()]) == 1


def test_processes_may_store_the_same_content_at_once(store: ArtifactStore) -> None:
    data = b"x" * 3_000_000
    processes = [SPAWN.Process(target=put_often, args=(str(store.root), data)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    assert [process.exitcode for process in processes] == [0, 0]
    assert list(store.sizes().values()) == [len(data)]


def test_a_file_that_cannot_be_read_leaves_nothing_behind(store: ArtifactStore, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.put_file(tmp_path / "missing")

    assert store.sizes() == {}


def test_stored_files_are_read_only(store: ArtifactStore) -> None:
    assert store.path(store.put_bytes(b"kept")).stat().st_mode & 0o222 == 0


def test_deleted_content_is_gone(store: ArtifactStore) -> None:
    sha256 = store.put_bytes(b"short-lived")

    assert store.delete(sha256)

    assert not store.delete(sha256)
    assert not store.has(sha256)
    with pytest.raises(NotFound, match="was deleted, or never arrived"):
        store.open(sha256)


@pytest.mark.parametrize("text", ["../../etc/passwd", "", "A" * 64, "0" * 63, "０" * 64])
def test_text_that_is_no_sha256_never_becomes_a_path(store: ArtifactStore, text: str) -> None:
    with pytest.raises(NotFound, match="is no SHA-256"):
        store.path(text)
