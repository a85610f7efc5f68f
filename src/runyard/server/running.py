"""Running the server on loopback until somebody ends it."""

import socket
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI

from runyard.errors import UsageError
from runyard.server.watching import Watcher

FIRST_PORT = 8765
HOST = "127.0.0.1"
_TRIED = 50
_PATIENCE_S = 3  # for answers that are on their way when the server ends


def choose_port(port: int | None = None) -> socket.socket:
    """A listening socket on loopback: on the port that was asked for, else the first free one from 8765 on.

    Raises:
        UsageError: the port is taken, or none is free.
    """
    for number in [port] if port is not None else range(FIRST_PORT, FIRST_PORT + _TRIED):
        # asyncio sends without delay (40 ms an answer) only where the protocol is named
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # or the port stays taken a minute after an end
        try:
            listener.bind((HOST, number))
            listener.listen(128)
            return listener
        except OSError:
            listener.close()
    if port is not None:
        raise UsageError(f"Port {port} is taken on this machine, or not for you. Leave --port out to get a free one.")
    raise UsageError(f"The ports {FIRST_PORT} to {FIRST_PORT + _TRIED - 1} are all taken. Choose one with --port.")


class Server(uvicorn.Server):
    """Serves one application; `on_ready` is called when the first request would be answered."""

    def __init__(self, app: FastAPI, *, on_ready: Callable[[], object] = lambda: None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                server_header=False,
                ws="none",
                proxy_headers=False,  # whom to believe is decided by `addressing.py`
                timeout_graceful_shutdown=_PATIENCE_S,
            )
        )
        self._watcher: Watcher = app.state.watcher
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._watcher.dismiss()  # or it would wait for pages that listen
        await super().shutdown(sockets=sockets)


def serve(app: FastAPI, listener: socket.socket, *, on_ready: Callable[[], object] = lambda: None) -> None:
    """Answer until SIGINT or SIGTERM."""
    Server(app, on_ready=on_ready).run(sockets=[listener])
