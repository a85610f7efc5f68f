"""A server with an empty home, asked over HTTP. Each test has a project of its own, so that all share the server."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.postgresql import TEMPLATE, PostgreSQL, use_database
from tests.server.serving import Served, serving

_numbers = count(1)


class Api:
    """MLflow's API of one project."""

    def __init__(self, served: Served, project: str) -> None:
        self.served = served
        self.project = project
        self.base = f"/mlflow/{project}"

    def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        """A request below the project."""
        return self.served.http.request(method, self.base + path, **more)

    def get(self, path: str, expected: int = 200, /, **params: Any) -> Any:
        """The JSON of a GET."""
        return self._checked(self.send("GET", f"/api/2.0/mlflow/{path}", params=params), expected)

    def post(self, path: str, expected: int = 200, /, **document: Any) -> Any:
        """The JSON of a POST."""
        return self._checked(self.send("POST", f"/api/2.0/mlflow/{path}", json=document), expected)

    def refused(self, path: str, part: str, /, **document: Any) -> None:
        """A POST that is told why not; `answer` is the status and `code` the code that are expected."""
        answer, code = document.pop("answer", 400), document.pop("code", "")
        found = self.post(path, answer, **document)
        assert part in found["message"], found
        assert not code or found["error_code"] == code

    def experiment(self, name: str = "first") -> str:
        """The id of a new experiment."""
        return str(self.post("experiments/create", name=name)["experiment_id"])

    def run(self, experiment: str = "0", **document: Any) -> str:
        """The id of a new run."""
        return str(self.post("runs/create", experiment_id=experiment, **document)["run"]["info"]["run_id"])

    def metric(self, run_id: str, key: str, value: Any, *, step: int = 0, at: int = 1) -> None:
        """Log a point."""
        self.post("runs/log-metric", run_id=run_id, key=key, value=value, timestamp=at, step=step)

    def data(self, run_id: str) -> dict[str, Any]:
        """Metrics, params and tags of a run, each by key."""
        found = self.get("runs/get", run_id=run_id)["run"]["data"]
        return {
            name: {each["key"]: each["value"] for each in found.get(name, ())} for name in ("metrics", "params", "tags")
        }

    def found(self, text: str, *, experiments: tuple[str, ...] = ("0",), **more: Any) -> list[str]:
        """The names of the runs that a filter finds."""
        answer = self.post("runs/search", experiment_ids=list(experiments), filter=text, **more)
        return [run["info"]["run_name"] for run in answer.get("runs", ())]

    def _checked(self, response: httpx.Response, status: int) -> Any:
        assert response.status_code == status, response.text
        document = response.json()
        if status != 200:
            assert document["error_code"]
            assert document["message"]
        return document


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for all tests of the dialect."""
    with _server(tmp_path_factory.mktemp("mlflow")) as served:
        yield served


@pytest.fixture(scope="session")
def mlflow_on_postgresql(tmp_path_factory: pytest.TempPathFactory, postgresql_server: PostgreSQL) -> Iterator[Served]:
    """Another one, whose home has its index in PostgreSQL."""
    folder = tmp_path_factory.mktemp("mlflow-postgresql")
    with postgresql_server.database(TEMPLATE) as url:
        use_database(folder / "home", url)
        with _server(folder) as served:
            yield served


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def either_server(request: pytest.FixtureRequest) -> Served:
    """For what asks the database: each of the two."""
    name = "mlflow_server" if request.param == "sqlite" else "mlflow_on_postgresql"
    served: Served = request.getfixturevalue(name)
    return served


@contextmanager
def _server(folder: Path) -> Iterator[Served]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNYARD_LOCK_DIR", str(folder / "locks"))
        patch.setenv("RUNYARD_CPU_SLOTS", "2")
        with serving(folder / "home") as served:
            yield served


@pytest.fixture
def api(mlflow_server: Served) -> Api:
    """A project that nothing is in."""
    return a_project(mlflow_server)


def a_project(served: Served) -> Api:
    """A project that nothing is in."""
    return Api(served, f"project-{next(_numbers)}")
