"""`run.py report`: `runyard report`, for the project that run.py lies in."""

from collections.abc import Sequence
from pathlib import Path

from runyard.cli.main import run
from runyard.client import open_client
from runyard.project.models import best_run
from runyard.project.project import find_project

_HELP = ("-h", "--help")


def report(folder: Path, arguments: Sequence[str]) -> int:
    """Hand the command line over; if it begins with an option it names no run, and the best one is meant."""
    if any(each in _HELP for each in arguments):
        return run(["report", "--help"])
    names_a_run = bool(arguments) and not arguments[0].startswith("-")
    if names_a_run and arguments[0] != "best":
        return run(["report", *arguments])
    project, client = find_project(folder), open_client()
    client.refresh()
    return run(["report", best_run(client, project, None), *arguments[int(names_a_run) :]])
