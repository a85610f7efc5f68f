"""Programs that use a framework and a callback of ours, as users write them."""

import fcntl
import os
import select
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent
from time import monotonic

import pytest

from runyard import runs
from runyard.client.runs import Runs
from tests import warm

QUIET = {"KERAS_BACKEND": "torch", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}


def run_script(folder: Path, program: str, *, imports: Sequence[str] = (), timeout: float = 240) -> Runs:
    """Execute a program with a home of its own; return the runs that it made, oldest first.

    Args:
        imports: what takes most of the program's time to import; programs with the same share a warm process.
    """
    home = folder / "home"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RUNYARD_")}
    done = warm.call(
        ["-c", dedent(program)],
        env={**kept, **QUIET, "RUNYARD_HOME": str(home), "PYTHONPATH": str(warm.SOURCE)},
        cwd=folder,
        timeout_s=timeout,
        imports=[*(f"{name}={value}" for name, value in QUIET.items()), *imports],
    )
    assert done.returncode == 0, done.stderr[-4000:]
    for folder in (home / "runs").glob("*"):
        wait_for_supervisor(folder / "attempts" / "1" / "host.journal")
    return runs(home=home, sort="created_at")


def wait_for_supervisor(journal: Path, timeout_s: float = 60) -> None:
    """Until the supervisor that writes this journal is gone: it holds a lock on it as long as it lives."""
    deadline = monotonic() + timeout_s
    while not journal.exists():  # it was started, and may not have come that far
        assert monotonic() < deadline, f"no supervisor wrote {journal}"
        select.select([], [], [], 0.02)
    with journal.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)


def needs(*modules: str) -> None:
    """Skip where a framework is not installed; CI has them all."""
    missing = [name for name in modules if find_spec(name) is None]
    if missing and os.environ.get("CI") != "true":
        pytest.skip(f"not installed: {', '.join(missing)}", allow_module_level=True)
    assert not missing, f"CI lacks {', '.join(missing)}"
