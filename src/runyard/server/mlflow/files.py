"""Artifacts through the server: `mlflow-artifacts:/` is a tree of names, and never one of folders.

Files of a run and of its models belong to that run. What clients put elsewhere in the tree belongs to one run of the
project that carries nothing else, so that permissions, trash and backups hold for it, too.
"""

import hashlib
import mimetypes
import posixpath
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

from starlette.responses import FileResponse, Response, StreamingResponse

from runyard.errors import NotFound
from runyard.index.rows import ArtifactRow
from runyard.journal import HOST
from runyard.journal.events import ArtifactRemoved, ArtifactStored, Ended, Labelled, Started
from runyard.records import RunId, RunSpec, RunState, run_id_from
from runyard.server.guard import SANDBOX
from runyard.server.mlflow import catalog, datasets, models
from runyard.server.mlflow.asked import CARRIER, Asked
from runyard.server.mlflow.errors import MISSING, NOT_IMPLEMENTED, MlflowError
from runyard.server.mlflow.forms import NEEDED, TEXT, Form
from runyard.server.mlflow.pens import SOURCE, require

_OF_RUN = re.compile(r"[0-9]{1,64}/([0-9a-z]{10})/artifacts(?:/(.*))?", re.DOTALL)
_OF_MODEL = re.compile(r"[0-9]{1,64}/models/(m-[0-9a-f]{32})/artifacts(?:/(.*))?", re.DOTALL)
_LONGEST_PATH = 4000
_MOST_DECODED = 8
_BINARY = "application/octet-stream"
_TEXT_NAMES = frozenset({"MLmodel", "MLproject"})
_TEXT_ENDS = frozenset(
    [
        ".txt",
        ".log",
        ".err",
        ".out",
        ".cfg",
        ".conf",
        ".cnf",
        ".cf",
        ".ini",
        ".properties",
        ".prop",
        ".hocon",
        ".toml",
        ".yaml",
        ".yml",
        ".xml",
        ".json",
        ".jsonl",
        ".js",
        ".py",
        ".csv",
        ".tsv",
        ".md",
        ".rst",
    ]
)

NOTHING: Form = {}
PROXY_LIST: Form = {"path": TEXT}
LIST: Form = {"run_id": NEEDED, "path": TEXT, "page_token": TEXT}
GET: Form = {"run_id": NEEDED, "path": NEEDED}
MODEL_LIST: Form = {"artifact_directory_path": TEXT}
MODEL_GET: Form = {"artifact_file_path": NEEDED}


@dataclass(frozen=True)
class Place:
    """Where in the tree: the run that the files belong to, what their names begin with, and the rest of the path."""

    run_id: str
    prefix: str
    path: str
    is_model: bool = False

    @property
    def name(self) -> str:
        """The name in the run."""
        return "/".join(part for part in (self.prefix, self.path) if part)


def stored(asked: Asked, place: Place, sha256: str, size_bytes: int) -> dict[str, Any]:
    """A file has come, whose content is stored."""
    require_file(place)
    if place.run_id == _carrier_id(asked):
        _make_carrier(asked)
    at_ns = time.time_ns()
    kind = "model" if place.is_model else "artifact"
    with asked.writing(place.run_id) as pen:
        pen.write(
            ArtifactRemoved(time_ns=at_ns, name=place.name),
            ArtifactStored(time_ns=at_ns, name=place.name, sha256=sha256, size_bytes=size_bytes, kind=kind),
            stream=HOST,
        )
    asked.note([place.run_id])
    return {}


def download(asked: Asked) -> Response:
    """The bytes of a file of the tree."""
    return _answered(asked, place_of(asked, asked.names["path"]))


def listing(asked: Asked) -> dict[str, Any]:
    """What lies in a folder of the tree: base names; nothing for a file or what is not there."""
    place = place_of(asked, asked.get("path", ""))
    return {"files": _entries(asked, place)}


def delete(asked: Asked) -> dict[str, Any]:
    """Take away a file, or a folder with all that is in it."""
    place = place_of(asked, asked.names["path"])
    found = {row.name for row in _rows(asked, place) if not place.path or _is_in(row.name, place.name)}
    if found:
        with asked.writing(place.run_id) as pen:
            events = [ArtifactRemoved(time_ns=time.time_ns(), name=name) for name in sorted(found)]
            pen.write(*events, stream=HOST)
        asked.note([place.run_id])
    return {}


def of_run(asked: Asked) -> dict[str, Any]:
    """What lies in a folder of a run: paths within the run."""
    row, path = asked.row(), checked(asked.get("path", ""))
    experiment = catalog.experiment_of(row, catalog.every(asked))
    files = [each | {"path": posixpath.join(path, each["path"])} for each in _entries(asked, Place(row.id, "", path))]
    return {
        "root_uri": f"mlflow-artifacts:/{experiment}/{row.id}/artifacts",
        **({"files": files} if files else {}),
    }


def get_of_run(asked: Asked) -> Response:
    """The bytes of a file of a run, for the page."""
    path = checked(asked.values["path"])
    return _answered(asked, Place(asked.row().id, "", path))


def of_model(asked: Asked) -> dict[str, Any]:
    """What lies in a folder of a logged model: paths within the model."""
    path = checked(asked.get("artifact_directory_path", ""))
    place = _place_of_model(asked, asked.names["model_id"], path)
    files = [each | {"path": posixpath.join(path, each["path"])} for each in _entries(asked, place)]
    kept = models.of_id(asked, asked.names["model_id"])
    return {"root_uri": models.artifact_uri(kept), **({"files": files} if files else {})}


def get_of_model(asked: Asked) -> Response:
    """The bytes of a file of a logged model, for the page."""
    path = checked(asked.values["artifact_file_path"])
    return _answered(asked, _place_of_model(asked, asked.names["model_id"], path))


def no_registry(asked: Asked) -> dict[str, Any]:
    """Files of registered models: there is no registry, but a path that leads elsewhere is told so first."""
    checked(asked.get("path", ""))
    raise MlflowError("There is no model registry here. Files of models are at their runs.", MISSING)


def not_here(asked: Asked) -> dict[str, Any]:
    """Parts and signed addresses are for object stores; files come in one piece, of any size."""
    checked(asked.names.get("path", ""))
    raise MlflowError("This server takes and gives files whole, without parts or signed addresses.", NOT_IMPLEMENTED)


# ---- for others ----


def place_of(asked: Asked, path: str) -> Place:
    """What a path of the tree means.

    Raises:
        MlflowError: it leads elsewhere, or names a run or a model that is not in the project.
    """
    path = checked(path)
    if found := _OF_MODEL.fullmatch(path):
        return _place_of_model(asked, found[1], found[2] or "")
    if found := _OF_RUN.fullmatch(path):
        return Place(require(asked.client, found[1], asked.project).id, "", found[2] or "")
    return Place(_carrier_id(asked), "", path)


def of_upload(asked: Asked) -> Place:
    """Where a file goes that the page brings."""
    return Place(asked.row().id, "", checked(asked.values["path"]))


def require_file(place: Place) -> None:
    """Refuse the path of a folder where a file is meant.

    Raises:
        MlflowError: it is empty.
    """
    if not place.path:
        raise MlflowError("Invalid path: it names no file.")


def checked(path: str) -> str:
    """A path within the tree, without slashes at its ends.

    Raises:
        MlflowError: it leads elsewhere, however it is written.
    """
    plain = path
    for _ in range(_MOST_DECODED):
        decoded = unquote(plain)
        if decoded == plain:
            break
        plain = decoded
    is_odd = any(sign < " " or sign in "\\\x7f" for sign in plain) or len(path) > _LONGEST_PATH
    parts = plain.split("/")
    if is_odd or ".." in parts or plain.startswith("/") or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", plain):
        raise MlflowError("Invalid path")
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def content_type(name: str) -> str:
    """By the name alone: text for what people read, whatever it is for other programs."""
    base = posixpath.basename(name)
    if base in _TEXT_NAMES or posixpath.splitext(base)[1].lower() in _TEXT_ENDS:
        return "text/plain"
    return mimetypes.guess_type(base)[0] or _BINARY


# ---- how ----


def _place_of_model(asked: Asked, model_id: str, path: str) -> Place:
    kept = models.of_id(asked, model_id)
    return Place(kept["source_run_id"] or _carrier_id(asked), f"models/{model_id}", path, is_model=True)


def _answered(asked: Asked, place: Place) -> Response:
    found = next((row for row in reversed(_rows(asked, place)) if row.name == place.name and place.path), None)
    if found is None:
        raise MlflowError(f"There is no artifact '{place.path[:200]}'.", MISSING)
    name, store = posixpath.basename(place.path), asked.client.artifacts
    headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": SANDBOX}
    try:
        if not store.is_elsewhere(found.sha256):
            path = store.path(found.sha256)
            return FileResponse(path, media_type=content_type(name), filename=name, headers=headers)
        size, pieces = store.stream(found.sha256)
    except NotFound:
        raise MlflowError(f"The content of '{place.path[:200]}' has been deleted.", MISSING) from None
    headers |= {"Content-Length": str(size), "Content-Disposition": f"attachment; filename*=utf-8''{quote(name)}"}
    return StreamingResponse(pieces, media_type=content_type(name), headers=headers)


def _rows(asked: Asked, place: Place) -> Sequence[ArtifactRow]:
    """The files of the run that may be meant; those of its models only where a model is asked for."""
    asked.catch_up(place.run_id)
    if place.run_id == _carrier_id(asked) and not asked.client.index.known([place.run_id]):
        return []
    require(asked.client, place.run_id, asked.project)
    found = asked.client.index.artifacts(place.run_id)
    if place.is_model:
        return [row for row in found if row.name.startswith(f"{place.prefix}/")]
    return [row for row in found if row.kind != datasets.KIND and not _is_of_model(row)]


def _is_of_model(row: ArtifactRow) -> bool:
    return row.kind == "model" and re.match(r"models/m-[0-9a-f]{32}/", row.name) is not None


def _entries(asked: Asked, place: Place) -> list[dict[str, Any]]:
    start = f"{place.name}/" if place.name else ""
    found: dict[str, dict[str, Any]] = {}
    for row in _rows(asked, place):
        if row.name.startswith(start):
            name, slash, _ = row.name[len(start) :].partition("/")
            is_dir = bool(slash)
            entry: dict[str, Any] = {"path": name, "is_dir": is_dir}
            found[name] = entry if is_dir else entry | {"file_size": row.size_bytes}
    return [found[name] for name in sorted(found)]


def _is_in(name: str, folder: str) -> bool:
    return f"{name}/".startswith(f"{folder}/")


def _carrier_id(asked: Asked) -> RunId:
    return run_id_from(hashlib.sha256(f"{asked.project}\0{CARRIER}".encode(errors="replace")).digest())


def _make_carrier(asked: Asked) -> None:
    run_id = _carrier_id(asked)
    if asked.client.index.known([run_id]):
        return
    spec = RunSpec(
        id=run_id,
        project=asked.project,
        name="files of MLflow's clients",
        created_at=datetime.now(UTC),
        kind="external",
        source=SOURCE,
        tags=("files",),
        note="Holds what clients of MLflow stored beside their runs, and models that belong to no run.",
    )
    asked.client.announce([spec], into_queue=False)
    at_ns = time.time_ns()
    with asked.writing(run_id) as pen:
        pen.write(Labelled(time_ns=at_ns, put={CARRIER: "files"}))
        pen.write(
            Started(time_ns=at_ns, host="", user=asked.client.by, pid=0),
            Ended(time_ns=at_ns, state=str(RunState.COMPLETED)),
            stream=HOST,
        )
