"""Serving a page on this machine until somebody ends it."""

import contextlib
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from runyard.apps.show import starting
from runyard.errors import ServiceError, UsageError

FIRST_PORT = 8501
_TRIED = 50
_PATIENCE_S = 120.0  # a cold disk and PyTorch take their time
_LOOK_S = 0.1
_END_S = 10.0


def free_port(wanted: int | None = None) -> int:
    """The port that was asked for, else the first free one from 8501 on.

    Raises:
        UsageError: it is taken, or none is free.
    """
    for port in [wanted] if wanted is not None else range(FIRST_PORT, FIRST_PORT + _TRIED):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((starting.HOST, port))
            except OSError:
                continue
            return port
    if wanted is not None:
        raise UsageError(f"Port {wanted} is taken on this machine, or not for you. Leave --port out to get a free one.")
    raise UsageError(f"The ports {FIRST_PORT} to {FIRST_PORT + _TRIED - 1} are all taken. Choose one with --port.")


def serve(script: Path, *, root: Path, port: int, chosen: Mapping[str, str], on_ready: Callable[[str], object]) -> int:
    """Serve a script until Ctrl-C or SIGTERM; return the server's exit code.

    Args:
        root: the project's folder.
        chosen: variables of `starting`, such as the run.
        on_ready: called with the address when the page answers.

    Raises:
        ServiceError: the server ended at once, or does not answer.
    """
    process = subprocess.Popen(
        starting.command(script, port),
        cwd=root,
        env=starting.environment(root, **chosen),
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C reaches us alone, and we end it in order
    )
    before = signal.signal(signal.SIGTERM, lambda *_: _interrupt())
    try:
        address = f"http://{starting.HOST}:{port}/"
        wait_until_ready(process, address)
        on_ready(address)
        return process.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        signal.signal(signal.SIGTERM, before)
        end(process)


def wait_until_ready(process: "subprocess.Popen[bytes]", address: str) -> None:
    """Wait until the page answers.

    Raises:
        ServiceError: the process ended, or two minutes have passed.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServiceError(f"Streamlit ended at once (exit code {process.returncode}); it said why above.")
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}_stcore/health", timeout=2):
            return
        time.sleep(_LOOK_S)
    raise ServiceError(f"Streamlit does not answer at {address} after {_PATIENCE_S:g} s.")


def end(process: "subprocess.Popen[bytes]") -> None:
    """End the server: in order, or by force if it takes longer than ten seconds."""
    process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _interrupt() -> None:
    raise KeyboardInterrupt
