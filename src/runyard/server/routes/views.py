"""Saved views: what people set up on the page, by name. They belong to the home, not to a browser."""

import json
import re
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Path
from pydantic import JsonValue
from starlette.responses import Response

from runyard.client import Client
from runyard.client.kept_file import KeptFile
from runyard.errors import ConflictError, NotFound, UsageError
from runyard.server import models
from runyard.server.answers import answer
from runyard.server.asking import Home

router = APIRouter(tags=["views"])

FILE = "views.json"
_MOST = 500
_LARGEST_BYTES = 64 << 10
_OF_PROJECT = re.compile(r"#/p/([^/?]*)")
_Name = Annotated[str, Path(min_length=1, max_length=200)]


@router.get("/views", response_model=models.Views)
def views(client: Home) -> Response:
    """All views, by name."""
    return answer({"views": _visible(client, _file(client).read())})


@router.get("/views/{name:path}", response_model=models.View)
def view(client: Home, name: _Name) -> Response:
    """One view."""
    found = _visible(client, _file(client).read())
    if name not in found:
        raise _missing(name)
    return answer({"name": name, "view": found[name]})


@router.put("/views/{name:path}", response_model=models.View)
def save(client: Home, name: _Name, view: dict[str, JsonValue]) -> Response:
    """Save a view, instead of one of the same name."""
    if len(_strict(view)) > _LARGEST_BYTES:
        raise UsageError(f"A view has at most {_LARGEST_BYTES >> 10} KiB.")
    with _file(client).changing() as found:
        if name in found and name not in _visible(client, found):
            raise ConflictError(f"There is a view '{name[:80]}' already. Choose another name.")
        if name not in found and len(found) >= _MOST:
            raise UsageError(f"There are {_MOST} views already. Delete one first.")
        found[name] = view
    return answer({"name": name, "view": view})


@router.delete("/views/{name:path}", response_model=models.Views)
def delete(client: Home, name: _Name) -> Response:
    """Delete a view; the others come back."""
    with _file(client).changing() as found:
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


def _file(client: Client) -> KeptFile[dict[str, Any]]:
    return KeptFile(client.home.path / FILE, name="views", kind=dict[str, Any], absent=dict)
