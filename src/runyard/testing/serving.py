"""The inference service of a project, started for a test."""

import importlib.util
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

STARTS_WITHIN_S = 60.0
ENDS_WITHIN_S = 30.0


class _Server(uvicorn.Server):
    """Says when it is ready, or that it will never be."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets=sockets)
        finally:
            self.settled.set()


@contextmanager
def served_app(app: Any, *, timeout_s: float = STARTS_WITHIN_S) -> Iterator[str]:
    """Serve an ASGI app over HTTP on a free port of this machine; yield its address, such as http://127.0.0.1:40123.

        with served_app("docker/main.py") as address:
            answer = httpx.post(f"{address}/predict", json=…)

    Args:
        app: the app itself, or the path of a Python file whose `app` it is, relative to the current folder.
        timeout_s: how long its startup may take, such as loading a model.

    Raises:
        AssertionError: it did not start, or there is no `app` in the file.
    """
    served = _app_of(Path(app)) if isinstance(app, str | Path) else app
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = _Server(uvicorn.Config(served, log_level="warning", ws="none"))
        thread = threading.Thread(target=_serve, args=(server, listener), name="served app", daemon=True)
        thread.start()
        try:
            if not server.settled.wait(timeout_s):
                raise AssertionError(f"serving: the app was not ready after {timeout_s:g} s.")
            if not server.started:
                raise AssertionError(
                    "serving: the app did not start; its startup raised what stands above, in its log."
                )
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(ENDS_WITHIN_S)


def _serve(server: _Server, listener: socket.socket) -> None:
    try:
        server.run(sockets=[listener])
    except SystemExit:  # how uvicorn gives up; its log says why
        pass
    finally:
        server.settled.set()


def _app_of(path: Path) -> Any:
    if not path.is_file():
        raise AssertionError(f"serving: there is no file {path} (looked for in {Path.cwd()}).")
    name = f"served_{path.stem}_{abs(hash(str(path.resolve())))}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # a file that ends in .py always has one
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        sys.modules.pop(name, None)
    if not hasattr(module, "app"):
        raise AssertionError(f"serving: {path} has no `app`.")
    return module.app
