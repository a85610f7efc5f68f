"""Files by content in a bucket: the same promises as in a folder, whatever happens to server and network."""

import hashlib
import os
from pathlib import Path

import pytest

from runyard.artifacts import ArtifactStore
from runyard.artifacts.s3 import S3ArtifactStore, read_place
from runyard.errors import ConflictError, NotFound, ServerAway, UsageError
from tests.artifacts.buckets import Buckets, network, started, store_at

pytestmark = pytest.mark.usefixtures("credentials")


@pytest.fixture
def store(buckets: Buckets, tmp_path: Path) -> S3ArtifactStore:
    return store_at(buckets.url(), tmp_path)


def elsewhere(store: S3ArtifactStore, folder: Path) -> S3ArtifactStore:
    """The same bucket from another machine."""
    return S3ArtifactStore(folder / "other", folder / "other-copies", store.place)


def test_what_was_put_is_found_from_another_machine(store: S3ArtifactStore, tmp_path: Path) -> None:
    content = os.urandom(20 << 20)  # several parts
    (tmp_path / "model.bin").write_bytes(content)

    sha256 = store.put_file(tmp_path / "model.bin")
    other = elsewhere(store, tmp_path)

    assert sha256 == hashlib.sha256(content).hexdigest()
    assert other.has(sha256)
    assert other.size(sha256) == len(content)
    assert other.is_elsewhere(sha256)
    size, pieces = other.stream(sha256)
    assert (size, b"".join(pieces)) == (len(content), content)
    assert other.is_elsewhere(sha256)  # it was passed on, not kept
    assert other.path(sha256).read_bytes() == content
    assert not other.is_elsewhere(sha256)
    assert other.digest(sha256) == sha256


def test_the_store_says_what_it_has_and_deletes_for_all(store: S3ArtifactStore, tmp_path: Path) -> None:
    kept, gone = store.put_bytes(os.urandom(10)), store.put_bytes(os.urandom(11))
    other = elsewhere(store, tmp_path)
    assert store.put_bytes(other.path(kept).read_bytes()) == kept
    assert {name: size for name, size in other.sizes().items() if name in (kept, gone)} == {kept: 10, gone: 11}

    assert other.delete(gone)

    assert not other.delete(gone)
    assert store.missing([kept, gone, "0" * 64]) == [gone, "0" * 64]
    with pytest.raises(NotFound):
        elsewhere(store, tmp_path / "third").path(gone)
    with pytest.raises(NotFound, match="no SHA-256"):
        store.has("../../etc/passwd")


def test_parts_become_a_file_in_the_bucket_and_a_wrong_one_does_not(store: S3ArtifactStore, tmp_path: Path) -> None:
    content = os.urandom(100_000)
    sha256 = hashlib.sha256(content).hexdigest()

    assert not store.upload(sha256, 0, len(content), content[:60_000]).is_stored
    assert store.uploaded(sha256).offset == 60_000
    assert store.upload(sha256, 60_000, len(content), content[60_000:]).is_stored
    with pytest.raises(ConflictError):
        store.upload("1" * 64, 0, 3, b"abc")

    assert elsewhere(store, tmp_path).path(sha256).read_bytes() == content
    assert not store.has("1" * 64)


def test_copies_take_a_limited_room(buckets: Buckets, tmp_path: Path) -> None:
    small = store_at(buckets.url(), tmp_path, cache_bytes=250_000)

    contents = [small.put_bytes(os.urandom(100_000)) for _ in range(4)]

    assert sum(small.is_elsewhere(sha256) for sha256 in contents) == 2
    assert all(small.path(sha256).stat().st_size == 100_000 for sha256 in contents)
    assert sum(small.is_elsewhere(sha256) for sha256 in contents) == 2


def test_what_lay_in_the_home_before_it_had_a_bucket_is_found(store: S3ArtifactStore, tmp_path: Path) -> None:
    old = ArtifactStore(tmp_path / "artifacts").put_bytes(b"from before")

    assert store.has(old)
    assert store.path(old).read_bytes() == b"from before"
    assert store.sizes()[old] == 11


def test_a_damaged_file_is_told_and_put_aside(store: S3ArtifactStore, buckets: Buckets, tmp_path: Path) -> None:
    sha256 = store.put_bytes(os.urandom(50))
    import obstore

    obstore.put(store._bucket, f"{sha256[:2]}/{sha256}", b"something else")
    other = elsewhere(store, tmp_path)

    assert other.digest(sha256) == hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(ServerAway, match="arrived damaged"):
        other.path(sha256)
    other.set_aside(sha256)
    assert not other.has(sha256)


def test_a_bucket_that_is_not_there_is_told(buckets: Buckets, tmp_path: Path) -> None:
    store = store_at(buckets.url("nowhere"), tmp_path)

    with pytest.raises(UsageError, match="there is no bucket 'nowhere'"):
        store.check()
    with pytest.raises(ServerAway, match="there is no bucket 'nowhere'"):
        store.put_bytes(b"lost")


def test_missing_credentials_are_told_before_anything_is_asked(
    buckets: Buckets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(UsageError, match="AWS_SECRET_ACCESS_KEY is not set"):
        store_at(buckets.url(), tmp_path)


def test_wrong_credentials_are_told(tmp_path: Path) -> None:
    buckets = started(tmp_path, checks_credentials=True)
    try:
        store = store_at(buckets.url(), tmp_path)

        with pytest.raises(UsageError, match="it refused AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
            store.check()
        with pytest.raises(ServerAway, match="it refused"):
            store.put_bytes(b"lost")
    finally:
        buckets.kill()


def test_a_network_that_changes_a_byte_never_leaves_a_wrong_file(
    store: S3ArtifactStore, buckets: Buckets, tmp_path: Path
) -> None:
    content = b"a" * 300_000
    sha256 = store.put_bytes(content)

    with network(buckets.port, down=lambda data: data.replace(b"aaaaaaaaaa", b"aaaaabaaaa", 1)) as port:
        other = store_at(buckets.url(port=port), tmp_path / "other")
        with pytest.raises(ServerAway, match="arrived damaged"):
            other.path(sha256)

    assert elsewhere(store, tmp_path / "third").path(sha256).read_bytes() == content
    assert list(other._copies.files()) == []


def test_a_download_that_is_cut_short_is_told(store: S3ArtifactStore, buckets: Buckets, tmp_path: Path) -> None:
    sha256 = store.put_bytes(os.urandom(3_000_000))

    def cut(data: bytes) -> bytes | None:
        return None if len(data) > 10_000 else data

    with network(buckets.port, down=cut) as port:
        other = store_at(buckets.url(port=port), tmp_path / "other")
        with pytest.raises(ServerAway, match="cannot be used"):
            other.path(sha256)
    assert list(other._copies.files()) == []


def test_a_server_that_is_killed_during_an_upload_has_nothing_and_gets_it_later(tmp_path: Path) -> None:
    buckets = started(tmp_path)
    content = os.urandom(24 << 20)
    (tmp_path / "model.bin").write_bytes(content)
    carried = 0

    def kill_halfway(data: bytes) -> bytes | None:
        nonlocal carried
        carried += len(data)
        if carried > len(content) // 2:
            buckets.kill()
            return None
        return data

    with network(buckets.port, up=kill_halfway) as port:
        store = store_at(buckets.url(port=port), tmp_path)
        with pytest.raises(ServerAway, match="cannot be used"):
            store.put_file(tmp_path / "model.bin")
    buckets.start()
    again = store_at(buckets.url(), tmp_path)
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        assert not again.has(sha256)
        assert again.put_file(tmp_path / "model.bin") == sha256
        assert elsewhere(again, tmp_path).path(sha256).read_bytes() == content
    finally:
        buckets.kill()
    assert [name for name in os.listdir(tmp_path / "artifacts") if name.startswith(".")] == []


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://bucket/prefix", "is no address for artifacts"),
        ("s3:///prefix", "is no address for artifacts"),
        ("s3://me:secret@bucket", "is no address for artifacts"),
        ("s3://bucket?color=red", "it has color"),
        ("s3://bucket?endpoint=http://minio:9000", "has no TLS"),
        ("s3://bucket?endpoint=ftp://minio&plain_http=yes", "has no TLS"),
    ],
)
def test_an_address_that_cannot_be_right_is_refused(url: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        read_place(url, {})


def test_endpoint_and_region_may_stand_in_the_environment() -> None:
    place = read_place("s3://bucket/a/b", {"AWS_ENDPOINT_URL": "https://minio:9000", "AWS_REGION": "eu-central-1"})

    assert (place.bucket, place.prefix, place.region) == ("bucket", "a/b", "eu-central-1")
    assert place.shown == "s3://bucket/a/b at https://minio:9000"
