"""What an import or an export left out."""

from collections.abc import Sequence

import typer

from runyard.cli import screen

_MOST_SHOWN = 50


def tell_skipped(problems: Sequence[str]) -> None:
    """What was skipped, with its place; anything at all makes it exit code 1."""
    for problem in problems[:_MOST_SHOWN]:
        screen.remark(f"Skipped: {screen.plain(problem)}")
    if len(problems) > _MOST_SHOWN:
        screen.remark(f"… and {len(problems) - _MOST_SHOWN} more; --json lists all.")
    if problems:
        raise typer.Exit(1)
