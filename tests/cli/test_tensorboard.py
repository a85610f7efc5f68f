"""`runyard tensorboard`, with the real TensorBoard."""

import signal
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import httpx
import psutil
import pytest

from runyard.cli.main import run
from tests.cli.builders import Yard, environment

WAIT_S = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.slow
@pytest.mark.skipif(find_spec("tensorboard") is None, reason="TensorBoard is not installed")
def test_tensorboard_shows_runs_and_ends_with_its_files_at_sigterm(yard: Yard, tmp_path: Path) -> None:
    row = yard.run(name="lr=0.1", metrics={"loss": [3.0, 1.0]})
    port, files = free_port(), tmp_path / "files"
    files.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "runyard", "tensorboard", row.id, "--port", str(port)],
        env=environment(yard.path, TMPDIR=str(files)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        assert any("Press CTRL+C" in line for line in process.stderr)  # it listens
        assert httpx.get(f"http://127.0.0.1:{port}/data/runs").json() == [f"lr=0.1-{row.id}"]
        children = psutil.Process(process.pid).children(recursive=True)
        assert children

        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=WAIT_S) == 128 + signal.SIGTERM
    finally:
        process.kill()
        process.communicate()

    assert psutil.wait_procs(children, timeout=WAIT_S)[1] == []
    assert list(files.glob("runyard-tensorboard-*")) == []


def test_event_files_are_kept_where_they_were_asked_for(
    yard: Yard, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = yard.run(name="one", metrics={"loss": [3.0, 1.0]})

    assert run(["tensorboard", row.id, "--out", str(tmp_path / "logs")]) == 0

    assert "1 run written below" in capsys.readouterr().out
    assert [path.parent.name for path in (tmp_path / "logs").rglob("*tfevents*")] == [f"one-{row.id}"]


def test_a_query_without_runs_is_told(yard: Yard, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["tensorboard", "--where", "name == 'none'", "--out", str(tmp_path / "logs")]) == 2

    assert "No run matches" in capsys.readouterr().err
