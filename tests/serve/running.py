"""A service that runs: in a thread behind a real socket, with a client."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn

from runyard.serve import Service
from runyard.serve.app import Serving
from runyard.serve.connections import Connection


class Running:
    """Its address, a client, and what it thinks of itself."""

    def __init__(self, service: Service, port: int) -> None:
        self.port = port
        self.serving: Serving = service.asgi.state.serving
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30)

    def predict(self, content: Any, kind: str = "application/json", path: str = "/predict") -> httpx.Response:
        """Send one request, as bytes of a content type."""
        return self.http.post(path, content=content, headers={"Content-Type": kind})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    service: Service, *, until_ready: bool = True, connection: type[Connection] = Connection
) -> Iterator[Running]:
    """Serve until the block ends; it begins when the model is ready, or has turned out not to be."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, or answers are delayed
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    config = uvicorn.Config(service.asgi, log_level="warning", ws="none", log_config=None, http=connection)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    found = Running(service, listener.getsockname()[1])
    thread.start()
    try:
        if until_ready:
            assert found.serving.settled.wait(60)
        yield found
    finally:
        found.http.close()
        server.should_exit = True
        thread.join(30)
        listener.close()
        assert not thread.is_alive()
