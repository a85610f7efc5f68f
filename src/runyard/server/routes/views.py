"""Saved views: what people set up on the page, by name. They belong to the home, not to a browser."""

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote

import msgspec
from fastapi import APIRouter
from fastapi import Path as InPath
from pydantic import JsonValue
from starlette.responses import Response

from runyard.client import Client
from runyard.errors import ConflictError, FormatUnknown, NotFound, UsageError
from runyard.server import models
from runyard.server.answers import answer
from runyard.server.asking import Home

router = APIRouter(tags=["views"])

FILE = "views.json"
_FORMAT = 1
_MOST = 500
_LARGEST_BYTES = 64 << 10
_OF_PROJECT = re.compile(r"#/p/([^/?]*)")
_Name = Annotated[str, InPath(min_length=1, max_length=200)]


@router.get("/views", response_model=models.Views)
def views(client: Home) -> Response:
    """All views, by name."""
    return answer({"views": _visible(client, _read(client))})


@router.get("/views/{name:path}", response_model=models.View)
def view(client: Home, name: _Name) -> Response:
    """One view."""
    found = _visible(client, _read(client))
    if name not in found:
        raise _missing(name)
    return answer({"name": name, "view": found[name]})


@router.put("/views/{name:path}", response_model=models.View)
def save(client: Home, name: _Name, view: dict[str, JsonValue]) -> Response:
    """Save a view, instead of one of the same name."""
    if len(_strict(view)) > _LARGEST_BYTES:
        raise UsageError(f"A view has at most {_LARGEST_BYTES >> 10} KiB.")
    with _changing(client) as found:
        if name in found and name not in _visible(client, found):
            raise ConflictError(f"There is a view '{name[:80]}' already. Choose another name.")
        if name not in found and len(found) >= _MOST:
            raise UsageError(f"There are {_MOST} views already. Delete one first.")
        found[name] = view
    return answer({"name": name, "view": view})


@router.delete("/views/{name:path}", response_model=models.Views)
def delete(client: Home, name: _Name) -> Response:
    """Delete a view; the others come back."""
    with _changing(client) as found:
        if name not in _visible(client, found):
            raise _missing(name)
        del found[name]
    return answer({"views": _visible(client, found)})


def _visible(client: Client, views: dict[str, Any]) -> dict[str, Any]:
    """Without those that the page made of projects that may not be seen: `{"hash": "#/p/project…"}`."""
    scope = client.index.scope
    return (
        views if scope.is_everything else {name: view for name, view in views.items() if scope.allows(_project(view))}
    )


def _project(view: Any) -> str:  # JSON of a page
    address = view.get("hash") if isinstance(view, dict) else None
    found = _OF_PROJECT.match(address) if isinstance(address, str) else None
    return unquote(found[1]) if found else ""


def _strict(view: dict[str, JsonValue]) -> str:
    try:
        return json.dumps(view, allow_nan=False)
    except ValueError:
        raise UsageError("A view holds a number that JSON does not know, such as NaN.") from None


def _missing(name: str) -> NotFound:
    return NotFound(f"There is no view '{name[:80]}'.")


def _file(client: Client) -> Path:
    return client.home.path / FILE


def _read(client: Client) -> dict[str, Any]:
    file = _file(client)
    try:
        found = msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        return {}
    except msgspec.MsgspecError as problem:
        raise FormatUnknown(f"{file} cannot be read: {problem}. Move it away to begin anew.") from None
    if found.get("format") != _FORMAT or not isinstance(found.get("views"), dict):
        raise FormatUnknown(f"{file} is of another version of Runyard.")
    views: dict[str, Any] = found["views"]
    return views


@contextmanager
def _changing(client: Client) -> Iterator[dict[str, Any]]:
    """The views, to be changed; they are written when the block ends. One changes at a time, readers never wait."""
    file = _file(client)
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = _read(client)
        yield found
        draft = file.with_suffix(".draft")
        with draft.open("wb") as target:
            target.write(msgspec.json.encode({"format": _FORMAT, "views": found}))
            target.flush()
            os.fsync(target.fileno())
        os.replace(draft, file)
