"""A real S3 server over HTTP, and a network in front of it that can break."""

import http.client
import os
import selectors
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from runyard.artifacts.s3 import S3ArtifactStore, read_place

START_S = 60.0


class Buckets:
    """A server of buckets, which forgets them when it ends."""

    def __init__(self, log: Path, *, checks_credentials: bool = False) -> None:
        self.port = free_port()
        self._log = log
        self._environment = {"INITIAL_NO_AUTH_ACTION_COUNT": "1"} if checks_credentials else {}  # to make the bucket
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        with self._log.open("ab") as log:
            env = os.environ | self._environment
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env)
        for _ in range(int(START_S * 10)):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
                break
            except ConnectionRefusedError:
                try:
                    self._process.wait(0.1)
                except subprocess.TimeoutExpired:
                    continue
                raise AssertionError(self._log.read_text()) from None
        self.make("yard")

    def make(self, bucket: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("PUT", f"/{bucket}")
        assert connection.getresponse().status == 200
        connection.close()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def url(self, bucket: str = "yard", *, port: int | None = None) -> str:
        return f"s3://{bucket}/files?endpoint=http://127.0.0.1:{port or self.port}&plain_http=yes"


def started(folder: Path, *, checks_credentials: bool = False) -> Buckets:
    """A server of one's own; skips where there is none, which CI does not accept."""
    if not (find_spec("moto") and find_spec("obstore")):
        if os.environ.get("CI"):
            pytest.fail("needs moto and obstore: pip install 'moto[s3,server]' obstore")
        pytest.skip("needs moto and obstore: pip install 'moto[s3,server]' obstore")
    made = Buckets(folder / "moto.log", checks_credentials=checks_credentials)
    made.start()
    return made


@pytest.fixture(scope="module")
def buckets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buckets]:
    """A server for all tests of a file."""
    made = started(tmp_path_factory.mktemp("s3"))
    yield made
    made.kill()


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the server accepts, where people have theirs."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "anna")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret")


def store_at(url: str, folder: Path, *, cache_bytes: int = 1 << 30) -> S3ArtifactStore:
    return S3ArtifactStore(folder / "artifacts", folder / "copies", read_place(url), cache_bytes=cache_bytes)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def network(
    to_port: int, *, up: Callable[[bytes], bytes | None] = bytes, down: Callable[[bytes], bytes | None] = bytes
) -> Iterator[int]:
    """A port whose bytes go on to another one, as `up` and `down` return them; None closes the connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    open_now: list[socket.socket] = []

    def carry(near: socket.socket) -> None:
        try:
            far = socket.create_connection(("127.0.0.1", to_port), timeout=30)
        except OSError:
            near.close()
            return
        open_now.extend((near, far))
        with near, far, selectors.DefaultSelector() as ready:
            ready.register(near, selectors.EVENT_READ, (far, up))
            ready.register(far, selectors.EVENT_READ, (near, down))
            try:
                while True:
                    for key, _ in ready.select():
                        target, change = key.data
                        data = key.fileobj.recv(1 << 16)  # type: ignore[union-attr]  # sockets were registered
                        passed = change(data) if data else None
                        if passed is None:
                            return
                        target.sendall(passed)
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=carry, args=(near,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for each in open_now:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        thread.join(30)
