import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runyard.client import Client, open_client
from runyard.records import RunId
from tests.postgresql import PostgreSQL, name_of, use_database
from tests.server import demo_home
from tests.server.serving import Served, serving
from tests.server.team import Team, team_at


@pytest.fixture(scope="session")
def demo_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of 62 runs, made once; tests get copies."""
    path = tmp_path_factory.mktemp("demo") / "home"
    demo = demo_home.make(path, steps=40)
    demo.close()
    return path


@pytest.fixture(scope="session")
def demo_on_postgresql(tmp_path_factory: pytest.TempPathFactory, postgresql_server: PostgreSQL) -> Iterator[Path]:
    """The same home with a PostgreSQL database, of which tests get copies, too."""
    path = tmp_path_factory.mktemp("demo-postgresql") / "home"
    with postgresql_server.database() as url:
        use_database(path, url)
        demo = demo_home.make(path, steps=40)
        demo.close()
        yield path


@contextmanager
def copied(request: pytest.FixtureRequest, path: Path) -> Iterator[Path]:
    """A copy at `path`, for fixtures with the parameters "sqlite" and "postgresql"."""
    if request.param == "sqlite":
        shutil.copytree(request.getfixturevalue("demo_template"), path, symlinks=True)
        yield path
        return
    template: Path = request.getfixturevalue("demo_on_postgresql")
    server: PostgreSQL = request.getfixturevalue("postgresql_server")
    shutil.copytree(template, path, symlinks=True)
    with server.database(name_of((template / "database.url").read_text())) as url:
        use_database(path, url)
        yield path


@pytest.fixture(params=["sqlite", "postgresql"])
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the home that a test may change."""
    monkeypatch.setenv("RUNYARD_LOCK_DIR", str(tmp_path / "locks"))
    monkeypatch.setenv("RUNYARD_CPU_SLOTS", "2")
    with copied(request, tmp_path / "home") as path:
        yield path


@pytest.fixture
def served(home: Path) -> Iterator[Served]:
    with serving(home) as served:
        yield served


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server for tests that change nothing."""
    folder = tmp_path_factory.mktemp("shared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNYARD_LOCK_DIR", str(folder / "locks"))
        patch.setenv("RUNYARD_CPU_SLOTS", "2")
        with copied(request, folder / "home") as home, serving(home) as served:
            yield served


@pytest.fixture
def elsewhere(home: Path) -> Iterator[Client]:
    """Another process that works with the same home, as a command does."""
    client = open_client(home)
    yield client
    client.close()


@pytest.fixture
def one(served: Served) -> RunId:
    """A run that completed."""
    return served.client.index.find('state == "COMPLETED" and project == "weld-seam"', limit=1)[0].id


@pytest.fixture
def one_shared(shared: Served) -> RunId:
    """A run that completed, of the shared server."""
    return shared.client.index.find('state == "COMPLETED" and project == "weld-seam"', limit=1)[0].id


@pytest.fixture
def team(home: Path) -> Iterator[Team]:
    """A server with accounts."""
    with team_at(home) as team:
        yield team


@pytest.fixture(scope="module")
def shared_team(demo_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """A server with accounts, for tests that change nothing that others look at."""
    folder = tmp_path_factory.mktemp("team")
    shutil.copytree(demo_template, folder / "home", symlinks=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNYARD_LOCK_DIR", str(folder / "locks"))
        patch.setenv("RUNYARD_CPU_SLOTS", "2")
        with team_at(folder / "home") as team:
            yield team
