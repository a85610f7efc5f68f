"""What every project's run.py calls: `main(__file__)`.

The four lines of run.py are the same in all projects for good, so this name and signature never change.
"""

from pathlib import Path

from runyard.cli.project.app import run_project


def main(run_py: str) -> int:
    """Execute a command line of the project that `run_py` lies in; return the exit code."""
    return run_project(Path(run_py).absolute().parent)
