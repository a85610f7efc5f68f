"""What every project's run.py calls: `main(__file__)`.

The four lines of run.py are the same in all projects for good, so this name and signature never change.
"""

from pathlib import Path

from runyard import garbage


def main(run_py: str) -> int:
    """Execute a command line of the project that `run_py` lies in; return the exit code."""
    garbage.collect_rarely()
    from runyard.cli.project.app import run_project  # late: it imports much, and none of it is garbage

    code = run_project(Path(run_py).absolute().parent)
    garbage.leave_all()
    return code
