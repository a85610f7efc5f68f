from collections.abc import Iterator
from pathlib import Path

import pytest

from runyard.client import open_client
from runyard.client.remote import RemoteClient
from tests.artifacts.buckets import buckets, credentials  # noqa: F401  # fixtures
from tests.server.serving import Served, serving


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A server with an empty home."""
    with serving(tmp_path / "server") as served:
        yield served


@pytest.fixture
def client(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RemoteClient]:
    """A machine that knows the server."""
    monkeypatch.setenv("RUNYARD_URL", f"http://127.0.0.1:{served.port}")
    monkeypatch.setenv("RUNYARD_HOME", str(tmp_path / "machine"))
    client = open_client()
    assert isinstance(client, RemoteClient)
    yield client
    client.close()
