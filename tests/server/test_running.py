"""`runyard ui`: a port, an address, an end."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from runyard.errors import UsageError
from runyard.serve.connections import Connection
from runyard.server import choose_port
from tests.server.serving import serving


def test_a_taken_port_is_passed_over_and_a_wanted_one_refused() -> None:
    first, second = choose_port(), choose_port()
    taken = first.getsockname()[1]

    assert second.getsockname()[1] != taken
    assert first.getsockname()[0] == "127.0.0.1"
    with pytest.raises(UsageError, match=str(taken)):
        choose_port(taken)
    first.close()
    second.close()


def test_a_connection_that_never_asks_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "head_within_s", 0.2)

    with serving(tmp_path) as served, socket.create_connection(("127.0.0.1", served.port), timeout=30) as silent:
        silent.sendall(b"GET /")

        assert silent.recv(1) == b""


def test_the_command_serves_the_page_and_ends_although_a_page_listens(home: Path) -> None:
    command = [sys.executable, "-m", "runyard.cli.main", "ui", "--no-browser"]
    environment = os.environ | {"RUNYARD_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = next(word for word in process.stdout.readline().split() if word.startswith("http://"))
        with httpx.Client(base_url=address, trust_env=False, timeout=30) as client:
            assert client.get("/api/v1/runs").json()["total"] == 62
            with client.stream("GET", "/api/v1/events") as stream:
                next(stream.iter_lines())
                process.send_signal(signal.SIGINT)
                process.wait(60)
    finally:
        process.kill()
        _, errors = process.communicate()
    assert errors.strip() in ("", "error: interrupted")
