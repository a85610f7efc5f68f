"""Real clients of MLflow against a real server with accounts."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from runyard.accounts import Accounts, Role
from runyard.client import Client, open_client
from tests.neighbours.venvs import CURRENT, OLDEST, NotInstalled, python_of
from tests.server.serving import serving

PROJECT = "neighbours"


def _python(packages: tuple[str, ...], *, sees_ours: bool = False) -> Path:
    try:
        return python_of(packages, sees_ours=sees_ours)
    except NotInstalled as problem:
        pytest.skip(f"MLflow's client cannot be installed: {problem}")


@pytest.fixture(scope="session")
def current() -> Path:
    """The interpreter with the current MLflow, scikit-learn, XGBoost, Optuna and Keras."""
    return _python(CURRENT, sees_ours=True)


@pytest.fixture(scope="session")
def oldest() -> Path:
    """The interpreter with the oldest MLflow 2."""
    return _python(OLDEST)


@dataclass
class Tracking:
    """A server whose accounts know one token."""

    uri: str
    token: str
    client: Client
    folder: Path

    def call(self, python: Path, *arguments: str, **more: str) -> str:
        """Execute a program that logs to the server; return what it printed."""
        own = {"MLFLOW_TRACKING_URI": self.uri, "MLFLOW_TRACKING_TOKEN": self.token, "HOME": str(self.folder)}
        own |= {"PATH": f"{python.parent}:{os.environ['PATH']}", "GIT_PYTHON_REFRESH": "quiet", "OMP_NUM_THREADS": "1"}
        own |= {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
        done = subprocess.run(
            [str(python), "-W", "ignore", *arguments],
            env=own | more, cwd=self.folder, capture_output=True, text=True, timeout=280, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def python(self, python: Path, program: str, **more: str) -> str:
        """Execute a program given as text."""
        return self.call(python, "-c", program, **more)


@pytest.fixture(scope="session")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracking]:
    """One server for all clients, with an account for them."""
    folder = tmp_path_factory.mktemp("neighbours")
    client = open_client(folder / "home")
    accounts = Accounts(client.database)
    link = accounts.first_link()
    assert link is not None
    accounts.follow_link(link, "correct horse battery", name="ada", address="192.0.2.7")
    token = accounts.tokens.make("ada", label="mlflow", by="ada", role=Role.MEMBER)[1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNYARD_LOCK_DIR", str(folder / "locks"))
        with serving(folder / "home", accounts=accounts) as served:
            uri = f"http://127.0.0.1:{served.port}/mlflow/{PROJECT}"
            yield Tracking(uri, token, served.client, folder)
    client.close()
