"""MLflow's REST API from the client's side, for import and export. GitLab's experiments speak the part that is used."""

import base64
import http.client
import os
import posixpath
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from runyard.bridges.mlflow.model import Artifact, Points, TheirRun, Unreadable, check_asked
from runyard.errors import LoginNeeded, NotAllowed, ServiceError, UsageError

_PROXY = "mlflow-artifacts"
_PAGE = 1000
_POINTS = 25_000
_PATIENCE_S = 120.0
_MOST_FOLDERS = 100_000
_TRIES = 5
_TOO_MANY = 429  # requests: GitLab counts them, and says how long to rest
_LONGEST_REST_S = 60.0


class Api:
    """Requests to one server; the token comes from MLFLOW_TRACKING_TOKEN, or name and password from the environment.

    Raises:
        UsageError: the address is none.
    """

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"'{uri}' is no address of an MLflow server. It looks like http://host:5000.")
        if parts.username is not None:
            raise UsageError("Give the token in MLFLOW_TRACKING_TOKEN, and not in the address: others could see it.")
        self.uri = uri.rstrip("/")
        self._parts = parts
        self._connection: http.client.HTTPConnection | None = None
        self._headers = _authorization()

    def get(self, address: str, /, **params: Any) -> dict[str, Any]:
        """The JSON of an answer.

        Raises:
            Unreadable: the server refused; the message is its own.
            ServiceError: it cannot be reached.
            LoginNeeded, NotAllowed: it does not know who asks, or lets nobody of this name in.
        """
        return self._json(*self.send("GET", f"/api/2.0/mlflow/{address}", params=params))

    def post(self, path: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON of an answer to a JSON. Raises as `get` does."""
        body = msgspec.json.encode(document)
        return self._json(*self.send("POST", f"/api/2.0/mlflow/{path}", body=body, kind="application/json"))

    def is_own(self, address: str) -> bool:
        """Whether an address is one of the same server."""
        parts = urlsplit(address)
        return (parts.scheme, parts.hostname, parts.port) == (
            self._parts.scheme,
            self._parts.hostname,
            self._parts.port,
        )

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: bytes = b"",
        kind: str = "",
        is_whole: bool = False,
    ) -> tuple[int, bytes]:
        """Status and body of any request. Raises as `get` does, but for refusals. `is_whole`: not below our address."""
        query = urlencode({name: value for name, value in (params or {}).items() if value is not None}, doseq=True)
        target = ("" if is_whole else self._parts.path.rstrip("/")) + path + (f"?{query}" if query else "")
        headers = self._headers | ({"Content-Type": kind} if kind else {})
        for attempt in range(_TRIES):
            try:
                connection = self._connected()
                connection.request(method, target, body=body or None, headers=headers)
                response = connection.getresponse()
                status, content = response.status, response.read()
                if status != _TOO_MANY or attempt + 1 == _TRIES:
                    break
                time.sleep(_rest_s(response.getheader("Retry-After"), attempt))
            except (OSError, http.client.HTTPException) as problem:
                self.close()
                if attempt + 1 == _TRIES:
                    raise ServiceError(f"{self.uri} cannot be reached: {problem or type(problem).__name__}.") from None
        if status == 401:
            raise LoginNeeded(
                f"{self.uri} does not take the token in MLFLOW_TRACKING_TOKEN. "
                "GitLab wants the scope `api` and at least the role Developer."
                if self._headers
                else f"{self.uri} wants to know who asks. Put a token into MLFLOW_TRACKING_TOKEN."
            )
        if status == 403:
            raise NotAllowed(f"{self.uri} does not allow that: {_message(content)}")
        return status, content

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _json(self, status: int, content: bytes) -> dict[str, Any]:
        if not _is_done(status):
            raise Unreadable(f"{self.uri} answered {status}: {_message(content)}")
        try:
            return msgspec.json.decode(content, type=dict[str, Any])
        except msgspec.MsgspecError:
            raise Unreadable(f"{self.uri} answered with something that is not MLflow's JSON.") from None

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            host, port = self._parts.hostname or "", self._parts.port
            if self._parts.scheme == "https":
                context = ssl.create_default_context(cafile=os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH"))
                self._connection = http.client.HTTPSConnection(host, port, timeout=_PATIENCE_S, context=context)
            else:
                self._connection = http.client.HTTPConnection(host, port, timeout=_PATIENCE_S)
        return self._connection


class RestReader:
    """The runs of a server."""

    def __init__(self, uri: str, *, experiments: Sequence[str] = ()) -> None:
        self.problems: list[str] = []
        self._api = Api(uri)
        try:
            self._list(experiments)
        except BaseException:
            self.close()
            raise

    def _list(self, experiments: Sequence[str]) -> None:
        self._experiments = {
            str(each["experiment_id"]): str(each.get("name", each["experiment_id"]))
            for each in self._paged("experiments/search", "experiments", {"view_type": "ACTIVE_ONLY"})
        }
        check_asked(experiments, self._experiments.values(), self._api.uri)
        self._found = [
            each
            for number, name in self._experiments.items()
            if not experiments or name in experiments
            for each in self._paged(
                "runs/search",
                "runs",
                {"experiment_ids": [number], "order_by": ["attributes.start_time ASC"], "run_view_type": "ACTIVE_ONLY"},
            )
        ]

    def count(self) -> int:
        return len(self._found)

    def runs(self) -> Iterator[TheirRun]:
        for found in self._found:
            info, data = found["info"], found.get("data", {})
            run_id = str(info.get("run_id") or info.get("run_uuid"))
            tags = _texts(data.get("tags", ()))
            keys = [str(metric["key"]) for metric in data.get("metrics", ())]
            yield TheirRun(
                id=run_id,
                name=str(info.get("run_name") or tags.get("mlflow.runName") or run_id),
                experiment=self._experiments.get(str(info.get("experiment_id")), ""),
                user=str(info.get("user_id") or tags.get("mlflow.user") or ""),
                status=str(info.get("status", "RUNNING")),
                start_ms=_whole(info.get("start_time")),
                end_ms=_whole(info.get("end_time")),
                params=_texts(data.get("params", ())),
                tags=tags,
                metrics=partial(self._metrics, run_id, keys),
                artifacts=partial(self._artifacts, run_id),
            )

    def close(self) -> None:
        self._api.close()

    def _metrics(self, run_id: str, keys: list[str]) -> Iterator[tuple[str, Points]]:
        for key in keys:
            try:
                yield key, self._history(run_id, key)
            except (Unreadable, ValueError) as problem:
                self.problems.append(f"metric {key} of run {run_id}: {problem}")

    def _history(self, run_id: str, key: str) -> Points:
        steps: list[int] = []
        values: list[float] = []
        times: list[int] = []
        token: str | None = None
        while True:
            answer = self._api.get(
                "metrics/get-history", run_id=run_id, metric_key=key, max_results=_POINTS, page_token=token
            )
            for point in answer.get("metrics", ()):
                steps.append(int(point.get("step", 0)))
                values.append(float(point["value"]))
                times.append(int(point.get("timestamp", 0)))
            token = answer.get("next_page_token")
            if not token:
                return Points(steps, values, times)

    def _artifacts(self, run_id: str) -> Iterator[Artifact]:
        folders = [""]
        for _ in range(_MOST_FOLDERS):
            if not folders:
                return
            folder = folders.pop()
            try:
                listed = self._listed(run_id, folder)
            except Unreadable as problem:
                self.problems.append(f"artifacts {folder or '/'} of run {run_id}: {problem}")
                continue
            for each in listed:
                name = str(each["path"])
                if each.get("is_dir"):
                    folders.append(name)
                else:
                    yield Artifact(name=name, read=partial(self._download, run_id, name))

    def _listed(self, run_id: str, folder: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        token: str | None = None
        while True:
            answer = self._api.get("artifacts/list", run_id=run_id, path=folder or None, page_token=token)
            found += answer.get("files", ())
            token = answer.get("next_page_token")
            if not token:
                return found

    def _download(self, run_id: str, name: str) -> bytes:
        status, content = self._api.send("GET", "/get-artifact", params={"run_id": run_id, "path": name})
        if status != 200:
            raise Unreadable(f"the server answered {status}")
        return content

    def _paged(self, path: str, what: str, question: dict[str, Any]) -> Iterator[dict[str, Any]]:
        token: str | None = None
        while True:
            more = {"page_token": token} if token else {}
            try:
                answer = self._api.post(path, {"max_results": _PAGE, **question, **more})
            except Unreadable as problem:
                raise UsageError(f"{problem} Is this the address of an MLflow server?") from None
            yield from answer.get(what, ())
            token = answer.get("next_page_token")
            if not token:
                return


def put_artifact(api: Api, root: str, name: str, content: bytes) -> str:
    """Store a file below a run's `artifact_uri`; return the name that it got there.

    MLflow's servers name their proxy (`mlflow-artifacts:`), GitLab an address of its package registry.

    Raises:
        Unreadable: the server took it not, or names a place that is not its own, which must not see the token.
    """
    parts = urlsplit(root)
    if parts.scheme == _PROXY:
        _put(api, f"/api/2.0/mlflow-artifacts/artifacts/{quote(posixpath.join(parts.path.strip('/'), name))}", content)
        return name
    if not api.is_own(root):
        raise Unreadable(f"the server takes no files ({root[:100] or 'it names no place'})")
    folder = quote(parts.path.rstrip("/"), safe="/:%")
    try:
        _put(api, f"{folder}/{quote(name)}", content, is_whole=True)
    except Unreadable:
        if "/" not in name:
            raise
        name = name.replace("/", "__")  # older ones know no folders
        _put(api, f"{folder}/{quote(name)}", content, is_whole=True)
    return name


def _put(api: Api, address: str, content: bytes, *, is_whole: bool = False) -> None:
    status, answer = api.send("PUT", address, body=content, kind="application/octet-stream", is_whole=is_whole)
    if not _is_done(status):
        raise Unreadable(f"the server answered {status}: {_message(answer)}")


def _is_done(status: int) -> bool:
    return 200 <= status < 300


def _rest_s(said: str | None, attempt: int) -> float:
    """How long to wait after too many requests."""
    try:
        return min(max(float(said or 2**attempt), 0.0), _LONGEST_REST_S)
    except ValueError:  # a date: nobody writes one here
        return float(2**attempt)


def _authorization() -> dict[str, str]:
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    if token:
        return {"Authorization": f"Bearer {token}"}
    name, password = os.environ.get("MLFLOW_TRACKING_USERNAME"), os.environ.get("MLFLOW_TRACKING_PASSWORD")
    if name and password:
        return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}
    return {}


def _message(content: bytes) -> str:
    try:
        found = msgspec.json.decode(content, type=dict[str, Any])
    except msgspec.MsgspecError:
        return content[:200].decode(errors="replace")
    return str(found.get("message") or found.get("error") or found)[:500]


def _texts(entries: Any) -> dict[str, str]:  # a list of keys and values, from JSON
    return {str(each["key"]): str(each.get("value", "")) for each in entries if each.get("key")}


def _whole(value: Any) -> int | None:  # from JSON: a number, or digits
    return int(value) if value not in (None, "", 0) else None
