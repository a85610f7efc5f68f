"""How long does a GPU wait between two runs because of the supervisor?

Beside the limit, which is a bare interpreter: from an order to the moment the child's interpreter is up (with a
fresh supervisor, and with one that stands by), from there to the call of `train`, and from the last line of `train`
to the release of the slot's lock and to the supervisor's own exit, when all is delivered.

    python benchmarks/supervisor_start.py [rounds]
"""

import fcntl
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

import runyard
from runyard import handover
from runyard.journal import Home
from runyard.records import RunSpec, encode_spec, new_run_id
from runyard.supervisor.order import LaunchOrder, encode_order

SUPERVISOR = [sys.executable, "-P", "-m", "runyard.supervisor"]
NOTE = "import os, time\nopen(os.environ['NOTES'], 'a').write(f'{time.monotonic()}\\n')\n"
# it trains for two seconds, so that the supervisor has found its rhythm when it ends
TRAIN = f"import time\n\ndef train(config, run):\n    exec({NOTE!r})\n    time.sleep(2)\n    exec({NOTE!r})\n"
CONFIG = "from runyard import Config\n\nclass TrainConfig(Config):\n    lr: float = 0.1\n\nDEFAULT = TrainConfig()\n"


class Place:
    """A home, a project, and a sitecustomize that notes when an interpreter is up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Home.open(folder / "home")
        (folder / "site").mkdir()
        (folder / "site" / "sitecustomize.py").write_text(NOTE)
        source = folder / "project" / "src"
        source.mkdir(parents=True)
        for name, text in (("__init__", ""), ("config", CONFIG), ("train", TRAIN)):
            (source / f"{name}.py").write_text(text)
        self.path = os.pathsep.join([str(folder / "site"), str(Path(runyard.__file__).parents[1])])

    def an_order(self) -> tuple[LaunchOrder, Path]:
        """A run to be started, and the file where its process notes its times."""
        project = str(self.folder / "project")
        spec = RunSpec(id=new_run_id(), project="p", name="n", created_at=datetime.now(UTC), project_dir=project)
        run = self.home.run(spec.id)
        run.path.mkdir()
        run.spec.write_bytes(encode_spec(spec))
        notes = run.path / "notes"
        env = {"NOTES": str(notes), "PYTHONPATH": self.path}
        return LaunchOrder(run_id=spec.id, home=str(self.home.path), attempt=1, env=env), notes


def bare(place: Place) -> float:
    """Seconds until a bare interpreter is up."""
    notes = place.folder / "bare"
    notes.unlink(missing_ok=True)
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-P", "-c", "pass"],
        env={**os.environ, "NOTES": str(notes), "PYTHONPATH": place.path},
        check=True,
    )
    return float(notes.read_text()) - began


def attempt(place: Place, *, standby: bool) -> tuple[float, float, float, float]:
    """Seconds from the order to the interpreter, from there to `train`, and from its end to free lock and last exit."""
    order, notes = place.an_order()
    lock = os.open(place.folder / "lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    order = msgspec.structs.replace(order, lock_fds=(lock,))
    began, process = _launch_standby(order) if standby else _launch(order)
    os.close(lock)
    waiting = os.open(place.folder / "lock", os.O_RDWR)
    fcntl.flock(waiting, fcntl.LOCK_EX)
    free = time.monotonic()
    os.close(waiting)
    process.wait()
    gone = time.monotonic()
    up, called, returned = (float(line) for line in notes.read_text().splitlines())
    return up - began, called - up, free - returned, gone - returned


def _launch(order: LaunchOrder) -> tuple[float, "subprocess.Popen[bytes]"]:
    began = time.monotonic()
    process = subprocess.Popen([*SUPERVISOR, "--order", "-"], stdin=subprocess.PIPE, pass_fds=order.lock_fds)
    assert process.stdin is not None
    process.stdin.write(encode_order(order))
    process.stdin.close()
    return began, process


def _launch_standby(order: LaunchOrder) -> tuple[float, "subprocess.Popen[bytes]"]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen([*SUPERVISOR, "--standby", "--fd", str(theirs.fileno())], pass_fds=[theirs.fileno()])
        time.sleep(1.5)  # until it stands by; nothing here is waited for in the measured time
        began = time.monotonic()
        handover.send(ours, encode_order(order), fds=order.lock_fds)
    return began, process


def _show(what: str, seconds: list[float]) -> None:
    low, high = min(seconds) * 1e3, max(seconds) * 1e3
    print(f"{what:<58} {statistics.median(seconds) * 1e3:7.1f} ms   ({low:.1f} … {high:.1f})")


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        attempt(place, standby=False)  # compiles what was not compiled yet
        limit = [bare(place) for _ in range(rounds)]
        fresh = [attempt(place, standby=False) for _ in range(rounds)]
        spare = [attempt(place, standby=True) for _ in range(rounds)]
    _show("a bare interpreter is up (the limit)", limit)
    _show("order to the child's interpreter, fresh supervisor", [times[0] for times in fresh])
    _show("order to the child's interpreter, supervisor stood by", [times[0] for times in spare])
    _show("child's interpreter to train(), fresh supervisor", [times[1] for times in fresh])
    _show("child's interpreter to train(), supervisor stood by", [times[1] for times in spare])
    _show("end of train() to the free lock", [times[2] for times in spare + fresh])
    _show("end of train() to the supervisor's exit", [times[3] for times in spare + fresh])


if __name__ == "__main__":
    main()
