"""A small GitLab: the notes of merge requests and the pipelines of projects, over real HTTP."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "glpat-of-the-tests"
NOTES = ["api", "v4", "projects", "7", "merge_requests", "3", "notes"]


class GitLab:
    """What it knows; `address` is that of its API."""

    def __init__(self) -> None:
        self.notes: list[dict[str, Any]] = []
        self.pipelines: dict[str, list[dict[str, Any]]] = {}
        self.requests: list[str] = []
        self.address = ""


@contextmanager
def gitlab() -> Iterator[GitLab]:
    """Start one on a free port of loopback."""
    known = GitLab()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(known))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    known.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield known
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(known: GitLab) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts, query = self._place()
            page, size = int(query.get("page", ["1"])[0]), int(query.get("per_page", ["20"])[0])
            if parts == NOTES:
                newest_first = list(reversed(known.notes))
                self._answer(200, newest_first[(page - 1) * size : page * size])
            elif parts[:3] == NOTES[:3] and parts[4:] == ["pipelines"] and parts[3] in known.pipelines:
                self._answer(200, [each for each in known.pipelines[parts[3]] if each["ref"] in query["ref"]][:size])
            else:
                self._answer(404, {"message": "404 Not Found"})

        def do_POST(self) -> None:
            parts, _ = self._place()
            body = self._body()
            if parts != NOTES:
                self._answer(404, {"message": "404 Not Found"})
                return
            known.notes.append({"id": len(known.notes) + 100, "body": body, "system": False})
            self._answer(201, known.notes[-1])

        def do_PUT(self) -> None:
            parts, _ = self._place()
            body = self._body()
            note = next(each for each in known.notes if [*NOTES, str(each["id"])] == parts)
            note["body"] = body
            self._answer(200, note)

        def _place(self) -> tuple[list[str], dict[str, list[str]]]:
            known.requests.append(f"{self.command} {self.path}")
            parts = urlsplit(self.path)
            return [unquote(part) for part in parts.path.strip("/").split("/")], parse_qs(parts.query)

        def _body(self) -> str:
            return str(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"])

        def _answer(self, status: int, document: object) -> None:
            if self.headers["PRIVATE-TOKEN"] != TOKEN:
                status, document = 401, {"message": "401 Unauthorized"}
            data = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    return Handler
