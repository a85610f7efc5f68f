"""The static files of the dashboard.

A page of a hundred small files is slow to open where each is asked for anew. So the page names them under an address
that holds a digest of them all: what lies there never changes, and a browser that has it asks no more. And a module
that the page announces is announced with all that it imports, so that a browser does not find these one by one.
"""

import base64
import hashlib
import json
import mimetypes
import os
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from runyard.server.entrance import cookie_name
from runyard.server.guard import READS, content_policy

FOLDER = Path(__file__).parent.parent / "dashboard"
_INDEX = "index.html"
_INLINED = re.compile(r'<script data-inline src="([^"]+)"></script>|<link data-inline rel="stylesheet" href="([^"]+)">')
_SCRIPT = re.compile(r'<script(?: type="importmap")?>(.*?)</script>', re.DOTALL)
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_IMPORT_MAP = re.compile(r'<script type="importmap">(.*?)</script>', re.DOTALL)
_ANNOUNCED = re.compile(r'( *<link rel="(?:modulepreload|later)" href=")([^"]+)("[^>]*>\n)')
_IMPORTED = re.compile(r'(?:^|;)(?:import|export)\b[^";]*?"([^"]+)"', re.MULTILINE)
_OPEN_DOOR = '<html data-door="open" '
_OWN = re.compile(r'(?<=href=")(?=[a-z])|(?<=src=")(?=[a-z])|(?<="\./)')  # where an address of ours begins
_SERVED = {".js", ".mjs", ".css", ".svg", ".html"}
_MODULES = {".js", ".mjs"}
_REVALIDATED = "no-cache"  # the browser keeps a file and asks whether it changed
_FOR_GOOD = "public, max-age=31536000, immutable"
_VERSION_LENGTH = 12


@dataclass(frozen=True)
class _Site:
    """All files at one moment. `stamp` tells whether the disk holds others by now.

    `open_index` is the page for somebody who need not log in, or seems to have: it asks for data before it knows. What
    it gets is decided where it asks.
    """

    stamp: tuple[tuple[str, int, int], ...]
    version: str
    files: dict[str, bytes]
    fixed: dict[str, Response]
    index: Response | None
    open_index: Response | None


class Pages:
    """Files of the dashboard's folder by plain names; nothing else of the disk has an address."""

    def __init__(self, folder: Path = FOLDER, *, has_accounts: bool = True) -> None:
        self._folder = folder
        self._has_accounts = has_accounts
        self._site = _read(folder)

    def fixed(self, path: str) -> Response | None:
        """What lies at an address that never changes, None for any other address."""
        return self._site.fixed.get(path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(405)
        path = scope["path"].removeprefix(scope.get("root_path", "")).removeprefix("/")
        await self._response(path, scope)(scope, receive, send)

    def _response(self, path: str, scope: Scope) -> Response:
        if path in ("", _INDEX):
            if _stamp(self._folder) != self._site.stamp:  # somebody works on the page
                self._site = _read(self._folder)
            is_open = not self._has_accounts or cookie_name(scope["scheme"]) in Headers(scope=scope).get("cookie", "")
            index = self._site.open_index if is_open else self._site.index
            if index is None:
                raise HTTPException(404)
            return index
        fixed = self.fixed(f"/{path}")
        if fixed is not None:
            return fixed
        content = self._site.files.get(path)
        if content is None:
            raise HTTPException(404)
        return _response(path, content, _REVALIDATED)


class Front:
    """Hands out what never changes before anything else looks at the request: a page is some fifty of these."""

    def __init__(self, app: ASGIApp, pages: Pages) -> None:
        self._app = app
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_read = scope["type"] == "http" and scope["method"] in READS
        found = self._pages.fixed(scope["path"]) if is_read else None
        await (found or self._app)(scope, receive, send)


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    return tuple(sorted(_states(str(folder), "")))


def _states(folder: str, prefix: str) -> Iterator[tuple[str, int, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _states(entry.path, f"{prefix}{entry.name}/")
            elif os.path.splitext(entry.name)[1] in _SERVED:
                state = entry.stat()
                yield f"{prefix}{entry.name}", state.st_mtime_ns, state.st_size


def _read(folder: Path) -> _Site:
    stamp = _stamp(folder)
    files = {name: (folder / name).read_bytes() for name, *_ in stamp}
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    version = digest.hexdigest()[:_VERSION_LENGTH]
    page = files.pop(_INDEX, b"").decode()
    fixed = {f"/{version}/{name}": _response(name, content, _FOR_GOOD) for name, content in files.items()}
    if not page:
        return _Site(stamp, version, files, fixed, None, None)
    index, open_index = (_index(each, version, files) for each in (page, page.replace("<html ", _OPEN_DOOR, 1)))
    return _Site(stamp, version, files, fixed, index, open_index)


def _index(page: str, version: str, files: dict[str, bytes]) -> Response:
    """The page. Its import map, what starts first and the looks of that are in it, allowed by their hashes."""
    maps = _IMPORT_MAP.findall(page)
    bare = {name: target for text in maps for name, target in json.loads(text)["imports"].items()}
    known: set[str] = set()

    def announced(found: re.Match[str]) -> str:
        names = [name for name in _imported(found[2], files, bare) if name not in known]
        known.update(names)
        return "".join(f"{found[1]}{name}{found[3]}" for name in names)

    def inlined(found: re.Match[str]) -> str:
        tag = "script" if found[1] else "style"
        return f"<{tag}>{files[(found[1] or found[2]).removeprefix(f'{version}/')].decode()}</{tag}>"

    page = _INLINED.sub(inlined, _OWN.sub(f"{version}/", _ANNOUNCED.sub(announced, page)))
    scripts, styles = _digests(_SCRIPT.findall(page)), _digests(_STYLE.findall(page))
    policy = content_policy(scripts, styles)
    headers = {"Cache-Control": _REVALIDATED, "Content-Security-Policy": policy, "Vary": "Cookie"}
    return Response(page, media_type="text/html", headers=headers)


def _digests(texts: list[str]) -> list[str]:
    return [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts]


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


def _response(name: str, content: bytes, caching: str) -> Response:
    return Response(content, media_type=_media_type(name), headers={"Cache-Control": caching})


def _media_type(name: str) -> str:
    if Path(name).suffix in _MODULES:
        return "text/javascript"  # what mimetypes says depends on the machine
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
