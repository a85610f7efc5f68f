"""A home that has its files in a bucket is cared for like any other."""

import os
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runyard.artifacts.s3 import S3ArtifactStore
from runyard.client import open_client, trash
from runyard.client.care.backup import backup
from runyard.client.care.verifying import verify
from runyard.client.remote import RemoteClient
from tests.artifacts.buckets import Buckets
from tests.cli.builders import Yard
from tests.server.serving import serving

NOW = datetime(2026, 6, 1, tzinfo=UTC).timestamp()


@pytest.fixture
def home(buckets: Buckets, credentials: None, tmp_path: Path) -> Path:
    """A home whose files are in a bucket of their own."""
    bucket = f"b{os.urandom(5).hex()}"
    buckets.make(bucket)
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)  # its database may be named there already
    (home / "artifacts.url").write_text(buckets.url(bucket) + "\n")
    return home


def test_runs_are_backed_up_verified_and_deleted_with_their_files(home: Path, tmp_path: Path) -> None:
    yard = Yard(home)
    run = yard.run(files={"model.bin": b"weights"})
    client = yard.client
    store = client.artifacts
    assert isinstance(store, S3ArtifactStore)
    (stored,) = client.index.artifacts(run.id)

    assert verify(client, now=NOW).problems == []
    made = backup(client, tmp_path / "backup")
    assert made.artifacts == 1
    assert (tmp_path / "backup" / "artifacts" / stored.sha256[:2] / stored.sha256).read_bytes() == b"weights"
    trash.put(client, [run.id])
    assert trash.empty(client).size_bytes >= 7

    assert store.sizes() == {}
    assert list(store.root.glob("??/*")) == []


def test_a_damaged_file_in_the_bucket_is_found_and_put_aside(home: Path) -> None:
    import obstore

    yard = Yard(home)
    run = yard.run(files={"model.bin": b"weights"})
    store = yard.client.artifacts
    assert isinstance(store, S3ArtifactStore)
    (stored,) = yard.client.index.artifacts(run.id)
    obstore.put(store._bucket, f"{stored.sha256[:2]}/{stored.sha256}", b"weighty")

    found = verify(yard.client, now=NOW, mend=True).problems

    assert [(each.place, each.is_repaired) for each in found if "put aside" in each.text] == [(stored.sha256, True)]
    assert not store.has(stored.sha256)


def test_machines_bring_files_and_get_them_back_through_the_server(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = os.urandom(9 << 20)
    with serving(home) as served:
        monkeypatch.setenv("RUNYARD_URL", f"http://127.0.0.1:{served.port}")
        for name in ("anna", "ben"):
            monkeypatch.setenv("RUNYARD_HOME", str(tmp_path / name))
            with closing(open_client()) as client:
                assert isinstance(client, RemoteClient)
                if name == "anna":
                    sha256 = client.artifacts.put_bytes(content)
                    while not client.artifacts.bring():
                        pass
                    assert list((home / "artifacts").glob("??/*")) == []
                    served.client.artifacts._copies.delete(sha256)  # type: ignore[attr-defined]  # of a bucket
                else:
                    assert client.artifacts.path(sha256).read_bytes() == content
