"""The real Sacred and a server for its MongoDB, started once; what it wrote there, made once."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from runyard.client import Client, open_client
from tests.neighbours.sacred.running import database, mongo_server, python_with_sacred, run_sacred


@pytest.fixture(scope="session")
def sacred() -> Path:
    """The interpreter that has Sacred."""
    return python_with_sacred()


@pytest.fixture(scope="session")
def mongo(sacred: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server for all tests."""
    with mongo_server(sacred, tmp_path_factory.mktemp("mongo")) as uri:
        yield uri


@pytest.fixture(scope="session")
def written(sacred: Path, mongo: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, one of which failed, as three observers of Sacred wrote them: `fs/`, `td/`, the database `written`."""
    folder = tmp_path_factory.mktemp("written")
    program = f"""
    for observer in (MongoObserver(url="{mongo}", db_name="written"), FileStorageObserver("fs"), TinyDbObserver("td")):
        ex.observers.append(observer)
    ex.run(config_updates={{"lr": 0.2}})
    try:
        ex.run(config_updates={{"fail": True}})
    except ValueError:
        pass
    """
    run_sacred(sacred, folder, program)
    return folder


@pytest.fixture
def db(mongo: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """An empty database of the test's own."""
    with database(mongo, f"t{abs(hash(request.node.name)) % 10**9}") as found:
        yield found


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """A home of the test's own."""
    with closing(open_client(tmp_path / "home")) as client:
        yield client
