"""The static files of the dashboard."""

import base64
import hashlib
import re
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from runyard.server.guard import content_policy

FOLDER = Path(__file__).parent.parent / "dashboard"
_FILE = re.compile(r"([A-Za-z0-9_-]+[A-Za-z0-9_.-]*/)*[A-Za-z0-9_-]+[A-Za-z0-9_.-]*", re.ASCII)
_IMPORT_MAP = re.compile(rb'<script type="importmap">(.*?)</script>', re.DOTALL)
_REVALIDATED = "no-cache"  # the browser keeps a file and asks whether it changed


class Pages(StaticFiles):
    """Files of the dashboard's folder by plain names; nothing else of the disk has an address."""

    def __init__(self, folder: Path = FOLDER) -> None:
        super().__init__(directory=folder, check_dir=False)
        self._folder = folder

    async def get_response(self, path: str, scope: Scope) -> Response:
        if path in (".", "index.html"):
            return self._index()
        if not _FILE.fullmatch(path):
            raise HTTPException(404)
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = _REVALIDATED
        return response

    def _index(self) -> Response:
        """The page; its import map is an inline script, and its hash allows it and no other."""
        try:
            content = (self._folder / "index.html").read_bytes()
        except FileNotFoundError:
            raise HTTPException(404) from None
        hashes = [base64.b64encode(hashlib.sha256(found).digest()).decode() for found in _IMPORT_MAP.findall(content)]
        headers = {"Cache-Control": _REVALIDATED, "Content-Security-Policy": content_policy(hashes)}
        return Response(content, media_type="text/html", headers=headers)
