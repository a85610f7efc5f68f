"""A fresh machine joins a team with two commands, `pip install runyard` and `runyard login URL`, and takes work.

What is installed is the wheel as it would be published. Its dependencies are not fetched once more: the fresh
environment finds those of this one, behind its own packages.
"""

import os
import pty
import select
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from runyard.records import RunState
from tests.journeys.conftest import Story
from tests.server.team import PASSWORD, team_at

REPOSITORY = Path(__file__).parents[2]


def install_wheel(folder: Path) -> Path:
    """Build the wheel and install it into an environment of its own; return the folder of its programs."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "fresh")], check=True)
    python = folder / "fresh" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index", "--no-deps", "--quiet"]
    subprocess.run([*pip, str(wheel)], check=True)
    (packages,) = (folder / "fresh" / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.parent


def log_in(program: Path, url: str, story: Story, *, name: str, password: str) -> None:
    """Type name and password into the terminal of `runyard login`."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [program, "login", url], stdin=theirs, stdout=theirs, stderr=theirs, env=story.env, start_new_session=True
    )
    os.close(theirs)
    try:
        for question, reply in (("Name", name), ("Password", password)):
            wait_for(ours, question)
            os.write(ours, f"{reply}\n".encode())
        said = wait_for(ours, f"knows this machine as {name}")
        assert process.wait(60) == 0, said
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def wait_for(terminal: int, words: str) -> str:
    said, deadline = "", time.monotonic() + 60
    while words not in said:
        ready, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"in vain: {words!r} after {said!r}"
        said += os.read(terminal, 1000).decode()
    return said


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.skipif(not find_spec("hatchling"), reason="needs hatchling, which builds the wheel")
def test_a_fresh_machine_joins_with_two_commands_and_takes_work(
    make_story: Callable[..., Story], tmp_path: Path
) -> None:
    programs = install_wheel(tmp_path)
    queued_by = make_story()
    with team_at(tmp_path / "served") as team:
        url = f"http://127.0.0.1:{team.served.port}"
        queued_by.env |= {"RUNYARD_URL": url, "RUNYARD_TOKEN": team.tokens["mia"]}
        queued_by.run("train", "seed=3", "--queue")
        machine = Story(queued_by.folder, tmp_path / "machine", dict(queued_by.env))
        machine.home.mkdir()
        for variable in ("RUNYARD_URL", "RUNYARD_TOKEN", "RUNYARD_HOME", "PYTHONPATH"):
            machine.env.pop(variable, None)
        machine.env |= {"HOME": str(machine.home), "XDG_CONFIG_HOME": str(machine.home / ".config")}

        log_in(programs / "runyard", url, machine, name="mia", password=PASSWORD)
        work = [str(programs / "python"), "run.py", "work", "--drain"]
        done = subprocess.run(work, cwd=machine.folder, env=machine.env, capture_output=True, text=True, timeout=120)

        assert done.returncode == 0, done.stdout + done.stderr
        (row,) = team.served.client.index.find('project == "weld-seam"')
        assert row.state is RunState.COMPLETED
        assert row.summary["loss"].count == 20
        (journal,) = (machine.home / ".runyard" / "servers").rglob("attempts/1/main.journal")
        assert journal.stat().st_size > 0
        whose = [str(programs / "python"), "-c", "import runyard; print(runyard.__file__)"]
        found = subprocess.run(whose, env=machine.env, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert found.stdout.startswith(str(tmp_path / "fresh"))
