"""A real server on loopback, and a client that holds every answer against the OpenAPI document's models."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.routing import Match

from runyard.accounts import Accounts
from runyard.client import Client
from runyard.server import choose_port, create_app
from runyard.server.addressing import Addressing
from runyard.server.app import ROUTES
from runyard.server.permissions import API
from runyard.server.running import Server

WRITES = {"X-Runyard": "1"}


class Served:
    """A server with its home."""

    def __init__(self, app: FastAPI, port: int, path: Path) -> None:
        self.app = app
        self.port = port
        self.path = path
        self.client: Client = app.state.client
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30)

    def get(self, path: str, status: int = 200, **params: Any) -> Any:
        """The JSON of an answer under /api/v1, which has the form that the document promises."""
        return self.send("GET", path, status=status, params=params)

    def send(self, method: str, path: str, body: Any = None, *, status: int = 200, params: Any = None) -> Any:
        """Ask with the header that writes need."""
        response = self.http.request(method, API + path, json=body, params=params, headers=WRITES)
        assert response.status_code == status, response.text
        document = response.json()
        if status == 200:
            self._check_form(method, path, response.text)
        else:
            assert document["error"].strip().endswith((".", "?", ")", "'", "]")), document
        return document

    def raw(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """A request whose path and headers no library puts in order."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        given = {"Host": f"127.0.0.1:{self.port}", "Content-Length": str(len(body))} | (headers or {})
        for name, value in given.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, content

    def _check_form(self, method: str, path: str, text: str) -> None:
        scope = {"type": "http", "method": method, "path": path.partition("?")[0], "headers": []}
        for route in api_routes():
            if route.matches(scope)[0] is Match.FULL:
                model = route.response_model
                assert isinstance(model, type)
                assert issubclass(model, BaseModel)
                model.model_validate_json(text)
                return
        raise AssertionError(f"no route is documented for {method} {path}")


def api_routes() -> list[APIRoute]:
    """Every route of the API."""
    return [route for module in ROUTES for route in module.router.routes if isinstance(route, APIRoute)]


@contextmanager
def serving(path: Path, *, accounts: Accounts | None = None, addressing: Addressing | None = None) -> Iterator[Served]:
    """Serve a home until the block ends."""
    listener = choose_port()
    app = create_app(path, accounts=accounts, addressing=addressing)
    is_ready = threading.Event()
    server = Server(app, on_ready=is_ready.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    assert is_ready.wait(60)
    served = Served(app, listener.getsockname()[1], path)
    try:
        yield served
    finally:
        served.http.close()
        server.should_exit = True
        thread.join(30)
        listener.close()
        assert not thread.is_alive()
