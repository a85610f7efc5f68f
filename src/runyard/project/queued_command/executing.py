"""Executing the command of a run; this stands where a project's `train` stands."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from runyard.project.queued_command.config import EXIT_CODE, CommandConfig
from runyard.tracking import Run

_LOOK_S = 0.2  # how long a request to stop may wait


def execute(config: CommandConfig, run: Run) -> None:
    """Execute the command in the project's folder (elsewhere in a copy of its code), and end as it ends.

    Raises:
        SystemExit: the command failed, with its exit code.
    """
    with tempfile.TemporaryDirectory(prefix="runyard-command-") as scratch:
        code = _watch(config.command, _folder(Path(scratch)), run)
    run.log({EXIT_CODE: code}, step=0)
    if code:
        raise SystemExit(code)


def _watch(command: list[str], folder: Path, run: Run) -> int:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])  # the same Python
    try:
        process = subprocess.Popen(command, cwd=folder, env={**os.environ, "PATH": path}, stdin=subprocess.DEVNULL)
    except OSError as error:
        print(f"{command[0]} cannot be started: {error.strerror}.")
        return 127
    while True:
        if run.should_stop:
            process.terminate()
        try:
            code = process.wait(timeout=_LOOK_S)
        except subprocess.TimeoutExpired:
            continue
        return code if code >= 0 else 128 - code  # as a shell tells a signal


def _folder(scratch: Path) -> Path:
    """Where the command finds the project: here, or in a copy of the snapshot, which others share."""
    if Path("run.py").is_file():
        return Path.cwd()
    return Path(shutil.copytree(sys.path[0], scratch / "project"))
