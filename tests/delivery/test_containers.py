"""The container of a new project for real: built, started without rights, asked, ended, carried to another machine.

It takes minutes and a gigabyte, so it is asked for by name: RUNYARD_CONTAINERS names a folder for the base image.

    RUNYARD_CONTAINERS=/var/tmp/engine-room python -m pytest tests/delivery/test_containers.py -s
"""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import runyard
from runyard.serve.golden import Tolerance, differences, read_samples
from tests.delivery import trying_on_the_page
from tests.delivery.engine_room import EngineRoom
from tests.serve.running import free_port

FOLDER = os.environ.get("RUNYARD_CONTAINERS", "")
AS_SHOWN = Tolerance(absolute=6e-4, relative=0)  # the page shows three digits
TOOLS = ("podman", "buildah", "debootstrap", "runc")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not FOLDER, reason="RUNYARD_CONTAINERS names no folder to build containers in"),
]


class Delivery:
    """A project with a trained model, and the image of both."""

    def __init__(self, room: EngineRoom, folder: Path) -> None:
        self.room = room
        self.folder = folder
        self.project = folder / "weld-seam"
        self.environment = {
            **room.environment,
            "RUNYARD_HOME": str(folder / "home"),
            "PYTHONPATH": str(Path(runyard.__file__).parents[1]),
        }

    def call(self, *words: str, at: Path | None = None, **variables: str) -> str:
        """A command of Python in the project; it must succeed."""
        done = subprocess.run(
            [sys.executable, *words],
            cwd=at or self.project,
            env=self.environment | variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def runyard(self, *words: str) -> Any:
        """A command of the program, and its JSON."""
        return json.loads(self.call("-m", "runyard", *words, "--json"))

    def shown_on_the_page(self) -> dict[str, dict[str, str]]:
        """What the project's page says of the golden requests, with the model of the same run."""
        path = os.pathsep.join([str(self.project), self.environment["PYTHONPATH"]])
        said = self.call(trying_on_the_page.__file__, "model/golden", RUNYARD_SHOW_RUN="last", PYTHONPATH=path)
        shown: dict[str, dict[str, str]] = json.loads(said.splitlines()[-1])
        return shown

    def podman(self, *words: str) -> str:
        return self.room.call("podman", *words).stdout.strip()


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivery]:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing or os.geteuid():
        pytest.skip(f"RUNYARD_CONTAINERS needs root and {', '.join(TOOLS)}; missing: {', '.join(missing) or 'root'}")
    room = EngineRoom(Path(FOLDER).absolute())
    room.prepare()
    made = Delivery(room, tmp_path_factory.mktemp("delivery"))
    made.call("-m", "runyard", "new", "weld-seam", at=made.folder)
    made.call("run.py", "train", "epochs=8", "--cpu")
    made.runyard("package", "last", "--out", "model")
    built = made.runyard(
        "image", "build", "--engine", "buildah", "--wheels", str(room.wheels), "--tag", "weld-seam:test"
    )
    print(f"\nbuilt in {built['seconds']} s")
    yield made
    room.call("podman", "rmi", "--force", "weld-seam:test", may_fail=True)


def test_the_image_proves_itself_read_only_without_network_and_rights(delivery: Delivery) -> None:
    proof = delivery.runyard("image", "test", "weld-seam:test", "--engine", "podman")

    print(f"size {proof['size_bytes'] / 1e6:.0f} MB unpacked, ready after {proof['cold_start_s']:.1f} s")
    assert proof["ok"], proof
    assert [each["what"] for each in proof["findings"]] == [
        "user",
        "health check",
        "layers",
        "ready",
        "golden requests",
        "read-only",
        "SIGTERM",
    ]


def test_container_infer_and_page_answer_alike_and_what_is_in_flight_is_finished(delivery: Delivery) -> None:
    delivery.call(
        *["run.py", "infer", "--model", "model", "--data", "tests/data"], "--out", str(delivery.folder / "infer.csv")
    )
    inferred = {}
    for line in (delivery.folder / "infer.csv").read_text().splitlines()[1:]:
        name, label, probability = line.split(",")
        inferred[name] = {"label": int(label), "probability": float(probability)}
    shown = delivery.shown_on_the_page()
    port = free_port()
    options = ["--detach", "--read-only", "--cap-drop", "all", "--env", f"PORT={port}"]
    container = delivery.podman("run", *options, "weld-seam:test")
    try:
        limit = ["python", "-c", _UNTIL_READY]
        delivery.podman("exec", "--env", f"PORT={port}", container, *limit)
        assert Request(port, method="GET", path="/ready").send_all().answer()[0] == 200
        assert delivery.podman("exec", container, "id", "-u") == "10001"
        assert delivery.room.call("podman", "exec", container, "touch", "/app/x", may_fail=True).returncode != 0
        answers = {}
        for sample in read_samples(delivery.project / "model").samples:
            body = (delivery.project / "model" / "golden" / sample.request).read_bytes()
            status, answer = Request(port, body, sample.content_type).send_all().answer()
            answers[sample.request] = answer
            assert (status, differences(sample.answer, answer, Tolerance())) == (200, [])
        begun = Request(port, (delivery.project / "tests" / "data" / "0000.png").read_bytes(), "image/png").send_half()
        assert status_of_health(delivery, container) == 0
        delivery.podman("kill", "--signal", "TERM", container)
        wait_until_nobody_listens(port)
        status, answer = begun.send_rest().answer()
        code = int(delivery.podman("wait", container))
    finally:
        delivery.podman("rm", "--force", container)

    assert (status, differences(inferred["0000.png"], answer, Tolerance())) == (200, [])
    assert code == 0
    assert len(answers) == 8
    for name, answer in answers.items():
        assert differences(inferred[name], answer, Tolerance()) == []
        assert differences(answer, _as_numbers(shown[name]), AS_SHOWN) == []


def _as_numbers(shown: dict[str, str]) -> dict[str, float]:
    return {name: float(text) if "." in text else int(text) for name, text in shown.items()}


_UNTIL_READY = """
import subprocess, sys
for _ in range(300):
    if subprocess.run([sys.executable, "-m", "runyard.serve.probe"]).returncode == 0: sys.exit(0)
sys.exit("never ready")
"""


def status_of_health(delivery: Delivery, container: str) -> int:
    return delivery.room.call("podman", "healthcheck", "run", container, may_fail=True).returncode


def wait_until_nobody_listens(port: int) -> None:
    for _ in range(100_000):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=10).close()
        except OSError:
            return
    raise AssertionError("it still takes connections")


class Request:
    """One request, byte by byte."""

    def __init__(
        self, port: int, body: bytes = b"", content_type: str = "", *, method: str = "POST", path: str = "/predict"
    ) -> None:
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self._left = head.encode() + body
        self._connection = socket.create_connection(("127.0.0.1", port), timeout=60)

    def send_all(self) -> "Request":
        return self.send_rest()

    def send_half(self) -> "Request":
        half = len(self._left) - 20
        self._connection.sendall(self._left[:half])
        self._left = self._left[half:]
        return self

    def send_rest(self) -> "Request":
        self._connection.sendall(self._left)
        return self

    def answer(self) -> tuple[int, Any]:
        with self._connection, self._connection.makefile("rb") as file:
            head, _, body = file.read().partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)


def test_the_bundle_is_loaded_and_proven_on_a_machine_without_network(delivery: Delivery) -> None:
    saved = delivery.runyard(
        *["image", "save", "weld-seam:test", "--engine", "podman", "--part-mb", "60"],
        *["--out", str(delivery.folder / "bundle")],
    )
    elsewhere = {**delivery.room.another_storage(), "ENGINE": "podman"}
    without_network = ["unshare", "--net"]

    loaded = subprocess.run(
        [*without_network, "sh", f"{saved['folder']}/load.sh"],
        env=elsewhere,
        capture_output=True,
        text=True,
        check=False,
    )
    checked = subprocess.run(
        [
            *without_network,
            "podman",
            "run",
            "--rm",
            "--read-only",
            "--network",
            "none",
            "localhost/weld-seam:test",
            "check",
        ],
        env=elsewhere,
        capture_output=True,
        text=True,
        check=False,
    )
    subprocess.run(["podman", "rmi", "--all", "--force"], env=elsewhere, capture_output=True, check=False)

    print(f"bundle {saved['size_bytes'] / 1e6:.0f} MB in {len(saved['parts'])} parts, {saved['components']} components")
    assert len(saved["parts"]) > 1
    assert loaded.returncode == 0, loaded.stdout + loaded.stderr
    assert "is the image that was packed" in loaded.stdout
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "All 8 golden samples got the golden answer." in checked.stdout
