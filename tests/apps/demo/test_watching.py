"""Attempts to reach another machine are written down, also those that are swallowed."""

import subprocess
import sys
from pathlib import Path

import pytest

from runyard.apps.demo.watching import attempts_in_trace, is_here

LEAK = """
import socket
for attempt in (
    lambda: socket.create_connection(("192.0.2.1", 443), timeout=0.01),
    lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("2001:db8::1", 53)),
    lambda: socket.getaddrinfo("telemetry.example.invalid", 443),
    lambda: socket.create_connection(("127.0.0.1", 9), timeout=0.01),
    lambda: socket.getaddrinfo("localhost", 80),
):
    try:
        attempt()
    except OSError:
        pass
"""


def test_swallowed_attempts_are_told_and_those_at_home_are_not(tmp_path: Path) -> None:
    (tmp_path / "leaky.py").write_text(LEAK)
    log = tmp_path / "log"

    subprocess.run([sys.executable, "-m", "runyard.apps.demo.watching", str(log), "leaky"], cwd=tmp_path, check=True)

    told = log.read_text().splitlines()
    assert {"192.0.2.1:443", "telemetry.example.invalid (name)"} <= set(told)
    assert not [line for line in told if "127.0.0.1" in line or "localhost" in line]


def test_a_trace_tells_addresses_beyond_this_machine() -> None:
    lines = [
        'connect(3, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("192.0.2.1")}, 16) = -1',
        'connect(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}, 16) = 0',
        'sendto(3, "x", 1, 0, {sa_family=AF_INET6, sin6_port=htons(53), inet_pton(AF_INET6, "2001:db8::1", x)}) = 1',
        'connect(4, {sa_family=AF_UNIX, sun_path="/run/x"}, 110) = 0',
    ]

    assert list(attempts_in_trace(lines)) == ["192.0.2.1:443", "2001:db8::1:53"]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        (b"localhost", True),
        ("10.0.0.1", False),
        ("a.b", False),
    ],
)
def test_only_this_machine_is_here(host: str | bytes, expected: bool) -> None:
    assert is_here(host) is expected
