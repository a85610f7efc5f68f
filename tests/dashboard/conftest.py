"""A real server; the browser is that of `tests/browsing.py`."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.browsing import Visit as Visit  # the tests here know it by this name

_START_S = 30.0


@dataclass
class Server:
    """`runyard ui` of one home, as a person starts it."""

    home: Path
    port: int
    process: "subprocess.Popen[str] | None" = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        command = [sys.executable, "-m", "runyard.cli.main", "ui", "--no-browser", "--port", str(self.port)]
        source = Path(__file__).parents[2] / "src"
        environment = os.environ | {"RUNYARD_HOME": str(self.home), "PYTHONPATH": str(source), "COLUMNS": "200"}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        assert self.process.stdout is not None
        seen = ""
        for line in self.process.stdout:
            seen += line
            if self.address in line:
                break
        else:
            raise AssertionError(f"The server ended at once: {seen}")
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + _START_S
        while time.monotonic() < until:
            try:
                with urllib.request.urlopen(f"{self.address}api/v1/projects", timeout=5):
                    return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("The server does not answer.")

    def stop(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.terminate()
        self.process.stdout.close()
        self.process.wait(60)


def _free_port() -> int:
    """One that the system has just handed out, so that parallel tests do not meet."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def serve() -> Iterator[Callable[[Path], Server]]:
    with ExitStack() as servers:
        yield lambda home: servers.enter_context(serving(home))


@contextmanager
def serving(home: Path) -> Iterator[Server]:
    """A server of this home; for a whole module, where its tests share the home as well."""
    server = Server(home, _free_port())
    server.start()
    yield server
    server.stop()
