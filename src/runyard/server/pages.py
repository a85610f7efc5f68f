"""The static files of the dashboard.

A page of a hundred small files is slow to open where each is asked for anew. So the page names them under an address
that holds a digest of them all: what lies there never changes, and a browser that has it asks no more. And a module
that the page announces is announced with all that it imports, so that a browser does not find these one by one.
"""

import base64
import hashlib
import json
import mimetypes
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from runyard.server.guard import content_policy

FOLDER = Path(__file__).parent.parent / "dashboard"
_INDEX = "index.html"
_IMPORT_MAP = re.compile(r'<script type="importmap">(.*?)</script>', re.DOTALL)
_ANNOUNCED = re.compile(r'( *)<link rel="modulepreload" href="([^"]+)">\n')
_IMPORTED = re.compile(r'(?:^|;)(?:import|export)\b[^";]*?"([^"]+)"', re.MULTILINE)
_OWN = re.compile(r'(?<=href=")(?=[a-z])|(?<=src=")(?=[a-z])|(?<="\./)')  # where an address of ours begins
_SERVED = {".js", ".mjs", ".css", ".svg", ".html"}
_MODULES = {".js", ".mjs"}
_REVALIDATED = "no-cache"  # the browser keeps a file and asks whether it changed
_FOR_GOOD = "public, max-age=31536000, immutable"
_VERSION_LENGTH = 12


@dataclass(frozen=True)
class _Site:
    """All files at one moment. `stamp` tells whether the disk holds others by now."""

    stamp: tuple[tuple[str, int, int], ...]
    version: str
    files: dict[str, bytes]
    index: Response | None


class Pages:
    """Files of the dashboard's folder by plain names; nothing else of the disk has an address."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._site = _read(folder)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405)
        path = scope["path"].removeprefix(scope.get("root_path", "")).removeprefix("/")
        await self._response(path)(scope, receive, send)

    def _response(self, path: str) -> Response:
        if path in ("", _INDEX):
            if _stamp(self._folder) != self._site.stamp:  # somebody works on the page
                self._site = _read(self._folder)
            if self._site.index is None:
                raise HTTPException(404)
            return self._site.index
        version, _, name = path.partition("/")
        is_fixed = version == self._site.version
        name = name if is_fixed else path
        content = self._site.files.get(name)
        if content is None:
            raise HTTPException(404)
        headers = {"Cache-Control": _FOR_GOOD if is_fixed else _REVALIDATED}
        return Response(content, media_type=_media_type(name), headers=headers)


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    found = sorted(path for path in folder.rglob("*") if path.suffix in _SERVED)
    states = [(path.relative_to(folder).as_posix(), path.stat()) for path in found]
    return tuple((name, state.st_mtime_ns, state.st_size) for name, state in states)


def _read(folder: Path) -> _Site:
    stamp = _stamp(folder)
    files = {name: (folder / name).read_bytes() for name, *_ in stamp}
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    version = digest.hexdigest()[:_VERSION_LENGTH]
    index = files.pop(_INDEX, None)
    return _Site(stamp, version, files, _index(index.decode(), version, files) if index is not None else None)


def _index(page: str, version: str, files: dict[str, bytes]) -> Response:
    """The page; its import map is an inline script, and its hash allows it and no other."""
    maps = _IMPORT_MAP.findall(page)
    bare = {name: target for text in maps for name, target in json.loads(text)["imports"].items()}
    known: set[str] = set()

    def announced(found: re.Match[str]) -> str:
        names = [name for name in _imported(found[2], files, bare) if name not in known]
        known.update(names)
        return "".join(f'{found[1]}<link rel="modulepreload" href="{name}">\n' for name in names)

    page = _OWN.sub(f"{version}/", _ANNOUNCED.sub(announced, page))
    hashes = [base64.b64encode(hashlib.sha256(found.encode()).digest()).decode() for found in _IMPORT_MAP.findall(page)]
    headers = {"Cache-Control": _REVALIDATED, "Content-Security-Policy": content_policy(hashes)}
    return Response(page, media_type="text/html", headers=headers)


def _imported(root: str, files: dict[str, bytes], bare: dict[str, str]) -> list[str]:
    """A module and all that it needs before it can begin, the nearest first."""
    found = [root]
    for name in found:  # grows meanwhile
        for target in _IMPORTED.findall(files.get(name, b"").decode()):
            base = "." if target in bare else posixpath.dirname(name)
            path = posixpath.normpath(posixpath.join(base, bare.get(target, target)))
            if path in files and path not in found:
                found.append(path)
    return found


def _media_type(name: str) -> str:
    if Path(name).suffix in _MODULES:
        return "text/javascript"  # what mimetypes says depends on the machine
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
