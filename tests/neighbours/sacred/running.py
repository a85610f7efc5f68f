"""The real Sacred, and a server that speaks MongoDB's protocol, both in an environment of their own."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from pymongo import MongoClient

from tests.neighbours.venvs import SACRED, NotInstalled, python_of

EXPERIMENT = """
import os, sys, warnings
warnings.simplefilter("ignore")
import numpy as np
from sacred import Experiment, SETTINGS
from sacred.observers import FileStorageObserver, MongoObserver, TinyDbObserver
SETTINGS.CAPTURE_MODE = "sys"
ex = Experiment("weld", save_git_info=False)

@ex.config
def config():
    lr = 0.1
    optim = {"name": "adam", "betas": (0.9, 0.99)}
    tags = ["baseline"]
    points = 20
    fail = False

@ex.main
def main(_run, points, fail):
    print("begins")
    for step in range(points):
        _run.log_scalar("loss", float("nan") if step == 3 else 1 / (step + 1))
        _run.log_scalar("val.acc", step / points, step * 2)
    _run.info["window"] = np.arange(3.0)
    with open("weights.bin", "wb") as file:
        file.write(b"weights")
    _run.add_artifact("weights.bin")
    if fail:
        raise ValueError("diverged")
    return {"acc": 0.5}
"""


def python_with_sacred() -> Path:
    """The interpreter that has Sacred, and sees our packages; skips where it cannot be installed."""
    try:
        return python_of(SACRED, sees_ours=True)
    except NotInstalled as problem:
        pytest.skip(f"Sacred cannot be installed: {problem}")


def run_sacred(python: Path, folder: Path, program: str, *, code: int = 0, **environment: str) -> str:
    """Execute a program after EXPERIMENT; return what it printed."""
    done = subprocess.run(
        [str(python), "-W", "ignore", *_script(folder, program)],
        env=surroundings(folder, **environment),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stderr[-4000:]
    return done.stdout


def start_sacred(python: Path, folder: Path, program: str, **environment: str) -> "subprocess.Popen[str]":
    """As `run_sacred`, without waiting; its standard output is a pipe."""
    return subprocess.Popen(
        [str(python), "-W", "ignore", *_script(folder, program)],
        env=surroundings(folder, **environment),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def surroundings(folder: Path, **more: str) -> dict[str, str]:
    """The variables of a program of Sacred's, with a home of ours in `folder`."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("RUNYARD_")}
    source = str(Path(__file__).parents[3] / "src")
    return own | {"RUNYARD_HOME": str(folder / "home"), "PYTHONPATH": source, "OMP_NUM_THREADS": "1"} | more


def _script(folder: Path, program: str) -> list[str]:
    script = folder / "train.py"
    script.write_text(EXPERIMENT + dedent(program))
    return [str(script)]


@contextmanager
def mongo_server(python: Path, folder: Path, *, port: int | None = None) -> Iterator[str]:
    """A server with data in `folder`, from its first answer on; gives its address."""
    port = port or free_port()
    command = [str(python.parent / "secantusd-py"), "--host", "127.0.0.1", "--port", str(port), "--standalone"]
    command.append("--enable-test-commands")  # MongoDB's own way to be slow or to refuse, see `failing`
    uri = f"mongodb://127.0.0.1:{port}/"
    with (folder.parent / f"{folder.name}.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--storage-path", str(folder)], stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": ""}
        )
    try:
        with MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=60_000) as client:
            client.admin.command("ping")  # waits until it answers
        yield uri
    finally:
        process.terminate()
        process.wait(timeout=30)


@contextmanager
def failing(uri: str, commands: list[str], **how: Any) -> Iterator[None]:  # `how` as configureFailPoint has it
    """The server refuses these commands, or answers late, until the block ends."""
    with MongoClient[dict[str, Any]](uri) as client:
        point = {"configureFailPoint": "failCommand"}
        client.admin.command(point | {"mode": "alwaysOn", "data": {"failCommands": commands, **how}})
        try:
            yield
        finally:
            client.admin.command(point | {"mode": "off"})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def database(uri: str, name: str) -> Iterator[Any]:  # pymongo's own types say no more about documents
    """A database there, dropped at the end."""
    with MongoClient[dict[str, Any]](uri) as client:
        try:
            yield client[name]
        finally:
            client.drop_database(name)
