"""`runyard import tensorboard`, as somebody at a terminal sees it."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from runyard.bridges import protobuf
from runyard.bridges.tensorboard.framing import framed
from runyard.cli.main import run
from runyard.client import open_client


def scalar(step: int) -> bytes:
    value = protobuf.put_bytes(1, "loss") + protobuf.put_float(2, 0.5)
    summary = protobuf.put_bytes(5, protobuf.put_bytes(1, value))
    return framed(protobuf.put_double(1, 1.7e9) + protobuf.put_int(2, step) + summary)


def test_what_was_skipped_is_listed_and_makes_it_exit_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RUNYARD_HOME", str(tmp_path / "home"))
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "events.out.tfevents.1").write_bytes(scalar(1) + scalar(2))
    assert run(["import", "tensorboard", str(logs), "--project", "weld"]) == 0
    assert "1 run with 2 points imported into weld; 0 gone on with, 0 were here already." in capsys.readouterr().out
    with (logs / "events.out.tfevents.1").open("ab") as file:
        file.write(scalar(3) + scalar(4)[:-1])

    assert run(["import", "tensorboard", str(logs), "--project", "weld", "--json"]) == 1

    shown = capsys.readouterr()
    told = json.loads(shown.out)
    assert {name: told[name] for name in ("project", "new", "continued", "known", "points")} == {
        "project": "weld",
        "new": 0,
        "continued": 1,
        "known": 0,
        "points": 1,
    }
    left = f"its last {len(scalar(4)) - 1} bytes."
    assert told["problems"] == [f"{logs}/events.out.tfevents.1 ends in the middle of a record: {left}"]
    assert f"Skipped: {told['problems'][0]}" in shown.err


@pytest.mark.parametrize(("path", "message"), [("nothing", "is no folder"), (".", "holds no event files")])
def test_a_folder_that_holds_none_is_refused(
    path: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RUNYARD_HOME", str(tmp_path / "home"))

    assert run(["import", "tensorboard", str(tmp_path / path)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_following_waits_for_the_first_file_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    logs, home = tmp_path / "logs", tmp_path / "home"
    logs.mkdir()
    command = [sys.executable, "-m", "runyard", "import", "tensorboard", str(logs), "--follow", "--project", "weld"]
    with subprocess.Popen(
        command, env=os.environ | {"RUNYARD_HOME": str(home)}, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        try:
            while "holds no event files yet" not in process.stderr.readline():
                assert process.poll() is None
            (logs / "deep").mkdir()
            (logs / "deep" / "events.out.tfevents.1").write_bytes(b"".join(scalar(step) for step in range(20)))
            with closing(open_client(home)) as client:
                until = time.monotonic() + 60
                while "loss" not in (row.summary if (row := next(iter(client.index.find()), None)) else {}):
                    assert time.monotonic() < until
                    time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            assert "1 run with 20 points imported into weld" in process.stdout.read()
            assert process.wait() == 0
        finally:
            process.kill()
    assert row is not None
    assert (row.name, row.state) == ("deep", "RUNNING")
