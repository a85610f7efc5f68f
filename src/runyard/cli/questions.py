"""Questions before something that cannot be taken back easily."""

import sys

import typer

from runyard.cli import screen
from runyard.errors import UsageError


def confirm(question: str, *, yes: bool) -> None:
    """Go on only if the user agrees, here or by --yes beforehand.

    Raises:
        UsageError: nobody is there to be asked, or the answer was no.
    """
    if yes:
        return
    if not (sys.stdin.isatty() and screen.is_terminal(sys.stderr)):
        raise UsageError(f"{question} Nobody is there to answer; --yes says so beforehand. Nothing was changed.")
    if not typer.confirm(question, err=True):
        raise UsageError("Nothing was changed.")
