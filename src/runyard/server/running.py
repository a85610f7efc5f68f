"""Running the server until somebody ends it."""

import ipaddress
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from runyard import hosts
from runyard.errors import UsageError
from runyard.serve.connections import Connection
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
        try:
            return hosts.listen(HOST, number)
        except UsageError:
            continue
    if port is not None:
        raise UsageError(f"Port {port} is taken on this machine, or not for you. Leave --port out to get a free one.")
    raise UsageError(f"The ports {FIRST_PORT} to {FIRST_PORT + _TRIED - 1} are all taken. Choose one with --port.")


def listen(host: str, port: int, *, has_accounts: bool) -> socket.socket:
    """A listening socket at an address of this machine; port 0 is any free one.

    Raises:
        UsageError: the address is none of this machine, the port is taken, or others could come who nobody asks for
            their name.
    """
    if not (has_accounts or is_loopback(host)):
        raise UsageError(f"Without accounts whoever reaches {host} could do everything. Listen on 127.0.0.1 instead.")
    return hosts.listen(host, port)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True)
class Tls:
    """Files in PEM: the certificate with those that lead to a known one, and its key."""

    certificate: Path
    key: Path


class Server(uvicorn.Server):
    """Serves one application; `on_ready` is called when the first request would be answered."""

    def __init__(self, app: FastAPI, *, on_ready: Callable[[], object] = lambda: None, tls: Tls | None = None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                server_header=False,
                ws="none",
                http=Connection,
                proxy_headers=False,  # whom to believe is decided by `addressing.py`
                timeout_graceful_shutdown=_PATIENCE_S,
                log_config=None,
                ssl_certfile=tls.certificate if tls else None,
                ssl_keyfile=tls.key if tls else None,
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


def serve(
    app: FastAPI,
    listener: socket.socket,
    *,
    on_ready: Callable[[], object] = lambda: None,
    tls: Tls | None = None,
) -> None:
    """Answer until SIGINT, or SIGTERM, which is a good end.

    Raises:
        UsageError: the files of `tls` are no certificate and its key.
    """
    server = Server(app, on_ready=on_ready, tls=tls)
    try:
        server.config.load()
    except OSError as problem:  # ssl.SSLError among them
        why = problem.strerror or problem
        raise UsageError(f"The certificate and its key cannot be used: {why}. Both files are needed, in PEM.") from None
    before = signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn ends, and then sends the signal once more
    try:
        server.run(sockets=[listener])
    finally:
        signal.signal(signal.SIGTERM, before)
