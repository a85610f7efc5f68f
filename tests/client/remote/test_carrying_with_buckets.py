"""Whole runs between the server and a home whose files are in a bucket, also if that goes away in the middle."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from runyard.artifacts.s3 import S3ArtifactStore
from runyard.client import Client, open_client
from runyard.client.remote import RemoteClient
from runyard.client.remote.carrying import pull, push
from runyard.errors import NotFound, ServerAway
from runyard.journal import Home
from tests.artifacts.buckets import Buckets, network
from tests.cli.builders import Yard
from tests.server.serving import Served

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),  # here no statement is asked
    pytest.mark.usefixtures("credentials"),
]
MODEL = os.urandom(6 << 20)  # two parts on their way to the server
OTHER = os.urandom(3 << 20)
FILES = {"model.bin": MODEL, "other.bin": OTHER, "notes.txt": b"a note"}


@pytest.fixture
def home(client: RemoteClient, buckets: Buckets, tmp_path: Path) -> Path:
    """The home of the machine itself, its files in a bucket of its own."""
    buckets.make(tmp_path.name.replace("_", "-"))
    path = Home.of_machine().path
    in_bucket(path, buckets.url(tmp_path.name.replace("_", "-")))
    return path


def in_bucket(home: Path, url: str) -> None:
    """Let the files of a home be in a bucket from now on."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "artifacts.url").write_text(url + "\n")


def through(home: Path, port: int) -> Client:
    """The home, asking its bucket through another port."""
    place = home / "artifacts.url"
    url = place.read_text()
    place.write_text(url.replace(url.split("127.0.0.1:")[1].split("&")[0], str(port)))
    try:
        return open_client(home)
    finally:
        place.write_text(url)


def contents(client: Client, run_id: str) -> dict[str, bytes]:
    return {row.name: client.artifacts.path(row.sha256).read_bytes() for row in client.index.artifacts(run_id)}


def test_a_run_goes_out_of_a_bucket_and_into_another(
    client: RemoteClient, served: Served, home: Path, buckets: Buckets, tmp_path: Path
) -> None:
    yard = Yard(home)
    row = yard.run(metrics={"loss": [3.0, 1.0]}, files=FILES)
    assert isinstance(yard.client.artifacts, S3ArtifactStore)

    done = push(yard.client, client, row.id)
    again = push(yard.client, client, row.id)
    yard.client.close()

    assert (done.is_new, again.is_new, again.sent_bytes) == (True, False, 0)
    assert contents(served.client, row.id) == FILES
    buckets.make("second")
    in_bucket(tmp_path / "second", buckets.url("second"))
    with closing(open_client(tmp_path / "second")) as second:
        pull(client, second, row.id)
        assert contents(second, row.id) == FILES
        assert not any((tmp_path / "second" / "artifacts").glob("??/*"))  # they are in the bucket
        assert all(second.artifacts.size(each.sha256) for each in second.index.artifacts(row.id))


def test_a_push_whose_bucket_goes_away_is_gone_on_with(
    client: RemoteClient, served: Served, home: Path, buckets: Buckets
) -> None:
    yard = Yard(home)
    row = yard.run(metrics={"loss": [1.0]}, files=FILES)
    yard.client.close()
    for copy in (home / "copies").glob("??/*"):
        copy.unlink()
    carried = 0

    def cut(data: bytes) -> bytes | None:
        nonlocal carried
        carried += len(data)
        return data if carried < (4 << 20) else None

    with (
        network(buckets.port, down=cut) as port,
        closing(through(home, port)) as local,
        pytest.raises(ServerAway, match="cannot be used"),
    ):
        push(local, client, row.id)
    assert served.client.index.count() == 0

    with closing(open_client(home)) as local:
        push(local, client, row.id)
    assert contents(served.client, row.id) == FILES


def test_a_pull_whose_bucket_goes_away_leaves_no_half_run(
    client: RemoteClient, served: Served, home: Path, buckets: Buckets
) -> None:
    there = Yard(served.path)
    row = there.run(metrics={"loss": [1.0]}, files=FILES)
    there.client.close()
    carried = 0

    def cut(data: bytes) -> bytes | None:
        nonlocal carried
        carried += len(data)
        return data if carried < (4 << 20) else None

    with network(buckets.port, up=cut) as port, closing(through(home, port)) as local:
        with pytest.raises(ServerAway, match="cannot be used"):
            pull(client, local, row.id)
        assert local.index.known([row.id]) == set()
    assert not list((home / "artifacts").glob(".draft-*"))

    with closing(open_client(home)) as local:
        assert pull(client, local, row.id).is_new
        assert contents(local, row.id) == FILES


def test_a_file_that_was_deleted_in_the_bucket_is_told_before_anything_travels(
    client: RemoteClient, served: Served, home: Path
) -> None:
    yard = Yard(home)
    row = yard.run(metrics={"loss": [1.0]}, files=FILES)
    yard.client.artifacts.delete(yard.client.index.artifacts(row.id)[0].sha256)

    with closing(yard.client), pytest.raises(NotFound, match="is not in s3://"):
        push(yard.client, client, row.id)

    assert served.client.index.count() == 0
