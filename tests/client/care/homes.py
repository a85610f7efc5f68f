"""Homes with something of everything, and processes that can be killed while they copy one."""

import os
import subprocess
import sys
from pathlib import Path

from runyard.client import Client
from runyard.client.care import Problem, verify
from runyard.index import RunRow
from runyard.project.snapshot import take
from runyard.records import CodeState, RunState
from tests.cli.builders import Yard, environment

NOW = 4_000_000_000.0  # long after everything that a test writes

_NOT_OF_RUNS = ("lock", "backup.json", "database.json", "database.url")
_HALTING = """
import sys
from pathlib import Path
from runyard.client import open_client
from runyard.client.care import backup, restore

action, folder, home, moment = sys.argv[1:]
told = 0

def progress(done, total):
    global told
    told += 1
    if told == int(moment):
        print("here", flush=True)
        sys.stdin.read()

if action == "backup":
    backup(open_client(home), Path(folder), progress)
else:
    restore(Path(folder), Path(home), progress=progress)
print("done", flush=True)
"""


def fill(yard: Yard) -> list[RunRow]:
    """Runs with code, files, a checkpoint, edits; one that waits, one in the trash."""
    project = yard.path.parent / "project"
    (project / "src").mkdir(parents=True, exist_ok=True)
    (project / "src" / "train.py").write_text("print('hi')\n")
    snapshot = take(project, yard.client.artifacts)
    code = CodeState(snapshot=snapshot.id, code_id=snapshot.code_id)
    full = yard.run(name="full", metrics={"loss": [3.0, 1.0]}, output="hello\n", files={"m": b"w" * 3000}, code=code)
    checkpoints = yard.client.folder(full.id).checkpoints
    checkpoints.mkdir()
    (checkpoints / "epoch-1.pt").write_bytes(b"state")
    (checkpoints / "latest").symlink_to("epoch-1.pt")
    yard.client.tag(full.id, add=["kept"])
    waiting = yard.run(name="waiting", state=RunState.QUEUED, code=code)
    gone = yard.run(name="gone", files={"old": b"old"})
    yard.client.trash([gone.id])
    return [yard.client.index.get(row.id) for row in (full, waiting, gone)]


def everything(folder: Path) -> dict[str, bytes]:
    """All files and links of a home, without its database."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name.startswith(("runyard.db", "code/")) or path.name in _NOT_OF_RUNS:
            continue
        if path.is_symlink():
            found[name] = os.readlink(path).encode()
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


def killed(action: str, folder: Path, home: Path, *, moment: int) -> bool:
    """Kill a backup or a restore when it tells its progress for the `moment`th time; False if it ends before."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HALTING, action, str(folder), str(home), str(moment)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(home),
    )
    assert process.stdout is not None
    came = process.stdout.readline()
    process.kill()
    process.communicate()
    return came == "here\n"


def problems(client: Client, *, mend: bool = False, quick: bool = False) -> list[Problem]:
    """What is not in order in a home."""
    return verify(client, mend=mend, quick=quick, now=NOW).problems
