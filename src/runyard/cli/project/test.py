"""`run.py test`: the project's tests, with what is there to run them."""

import importlib.util
import subprocess
import sys
from pathlib import Path

from runyard.errors import UsageError

_FOLDERS = {"all": "tests", "unit": "tests/unit", "integration": "tests/integration"}


def run_tests(folder: Path, which: str) -> int:
    """Run the tests with pytest if it is installed, else with unittest; return the exit code."""
    if which not in _FOLDERS:
        raise UsageError(f"'{which}' is none of the tests: {', '.join(_FOLDERS)}.")
    tests = folder / _FOLDERS[which]
    if not tests.is_dir():
        raise UsageError(f"This project has no folder {_FOLDERS[which]}.")
    if importlib.util.find_spec("pytest"):
        command = [sys.executable, "-m", "pytest", str(tests)]
    else:
        command = [sys.executable, "-m", "unittest", "discover", "-s", str(tests), "-t", str(folder)]
    return subprocess.run(command, cwd=folder, check=False).returncode
