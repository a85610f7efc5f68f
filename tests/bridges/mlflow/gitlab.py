"""A server that answers what GitLab documents of MLflow's dialect, and refuses all else, as GitLab's API does."""

import json
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

PREFIX = "/api/v4/projects/7/ml/mlflow/api/2.0/mlflow/"
FILES = "/api/v4/projects/7/packages/ml_models/"
TOKEN = "glpat-1"
LONGEST_PARAM = 250


class Refused(Exception):
    def __init__(self, status: int, document: dict[str, Any]) -> None:
        self.status, self.document = status, document


class GitLab(ThreadingHTTPServer):
    """What one project of it holds.

    Attributes:
        knows_folders: whether files may lie in folders, as since 17.
        elsewhere: where runs are told to keep files instead of here.
        rests: so many requests are answered with 429.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.experiments: dict[str, str] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.knows_folders = True
        self.elsewhere = ""
        self.rests = 0
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def uri(self) -> str:
        return f"{self.address}/api/v4/projects/7/ml/mlflow"


@contextmanager
def serving_gitlab() -> Iterator[GitLab]:
    """One that answers until the end of the block."""
    server = GitLab()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: GitLab

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            self._send(*self._result(body))
        except Refused as refused:
            self._send(refused.status, refused.document)

    def _send(self, status: int, document: dict[str, Any]) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if status == 429:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(content)

    def _result(self, body: bytes) -> tuple[int, dict[str, Any]]:
        server, parts = self.server, urlsplit(self.path)
        if server.rests:
            server.rests -= 1
            raise Refused(429, {"message": "Retry later"})
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Refused(401, {"message": "401 Unauthorized"})
        server.asked.append(f"{self.command} {unquote(parts.path)}")
        if self.command == "PUT" and parts.path.startswith(FILES):
            name = unquote(parts.path.removeprefix(FILES))
            if not server.knows_folders and name.count("/") > 2:  # candidate:1/files/name
                raise Refused(404, {"error": "404 Not Found"})
            server.files[name] = body
            return 201, {"message": "201 Created"}
        known = {
            "GET experiments/get-by-name": self._by_name,
            "POST experiments/create": self._create_experiment,
            "POST runs/create": self._create,
            "POST runs/search": self._search,
            "POST runs/log-batch": self._log_batch,
            "POST runs/update": self._update,
        }
        call = known.get(f"{self.command} {parts.path.removeprefix(PREFIX)}")
        if call is None:
            raise Refused(404, {"error": "404 Not Found"})
        query = {name: found[0] for name, found in parse_qs(parts.query).items()}
        return 200, call(json.loads(body) if body else query)

    def _by_name(self, asked: dict[str, Any]) -> dict[str, Any]:
        if asked["experiment_name"] not in self.server.experiments:
            raise Refused(404, {"error_code": "RESOURCE_DOES_NOT_EXIST"})
        return {"experiment": {"experiment_id": self.server.experiments[asked["experiment_name"]]}}

    def _create_experiment(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.server.experiments[asked["name"]] = str(len(self.server.experiments) + 1)
        return {"experiment_id": self.server.experiments[asked["name"]]}

    def _create(self, asked: dict[str, Any]) -> dict[str, Any]:
        number = str(len(self.server.runs) + 1)
        root = self.server.elsewhere or f"{self.server.address}{FILES}candidate:{number}/files/"
        info = {"run_id": number, "run_name": asked["run_name"], "status": "RUNNING", "artifact_uri": root}
        experiment = str(int(asked["experiment_id"]))
        run: dict[str, Any] = {"info": info, "experiment": experiment, "params": {}, "metrics": [], "tags": {}}
        run["tags"] |= {each["key"]: each["value"] for each in asked["tags"]}
        self.server.runs[number] = run
        return {"run": {"info": info, "data": {}}}

    def _search(self, asked: dict[str, Any]) -> dict[str, Any]:
        (experiment,) = asked["experiment_ids"]  # more than one are not supported
        found = [
            {"info": run["info"], "data": {"tags": [{"key": key, "value": text} for key, text in run["tags"].items()]}}
            for run in self.server.runs.values()
            if run["experiment"] == experiment
        ]
        return {"runs": found, "next_page_token": None}

    def _log_batch(self, asked: dict[str, Any]) -> dict[str, Any]:
        run = self.server.runs[asked["run_id"]]
        for number, point in enumerate(asked.get("metrics", ())):
            if isinstance(point["value"], str) or not math.isfinite(point["value"]):
                raise Refused(400, {"error": f"metrics[{number}][value] is invalid"})
        if any(len(each["value"]) > LONGEST_PARAM for each in asked.get("params", ())):
            raise Refused(400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "violates check constraint"})
        run["metrics"] += asked.get("metrics", ())
        run["params"] |= {each["key"]: each["value"] for each in asked.get("params", ())}
        run["tags"] |= {each["key"]: each["value"] for each in asked.get("tags", ())}
        return {}

    def _update(self, asked: dict[str, Any]) -> dict[str, Any]:
        info = self.server.runs[asked["run_id"]]["info"]
        info |= {name: asked[name] for name in ("status", "end_time") if name in asked}
        return {"run_info": info}
