"""`runyard verify`: is every byte of the home as it must be?"""

import time
from contextlib import AbstractContextManager
from dataclasses import asdict

import typer

from runyard.cli import documents, formats, screen, target
from runyard.cli.progress import Tell, progress_bar, size_bar
from runyard.client.care import Kind, Problem, Verified
from runyard.client.care import verify as care

_SHOWN = 200


def verify(*, mend: bool, quick: bool, database: str | None, as_json: bool) -> None:
    """Look at everything in the home, and repair what can be if that is wished."""
    began = time.monotonic()
    with target.opened(database=database) as client:
        client.require_here("verify")
        found = care(client, mend=mend, quick=quick, now=time.time(), bar=_bar)
    seconds = time.monotonic() - began
    if as_json:
        documents.write(asdict(found) | {"is_in_order": found.is_in_order, "duration_s": seconds})
    else:
        _show(found, seconds, mend=mend)
    if not found.is_in_order:
        raise typer.Exit(1)


def _bar(title: str, is_in_bytes: bool) -> AbstractContextManager[Tell]:
    return size_bar(title) if is_in_bytes else progress_bar(title)


def _show(found: Verified, seconds: float, *, mend: bool) -> None:
    for problem in found.problems[:_SHOWN]:
        screen.say(f"{_mark(problem)}  {problem.kind:<8}  {screen.plain(problem.place)}: {screen.plain(problem.text)}")
    if len(found.problems) > _SHOWN:
        screen.say(f"… and {len(found.problems) - _SHOWN:,} more; --json has them all.")
    how = "without reading stored files" if found.is_quick else formats.size(found.artifact_bytes + found.journal_bytes)
    screen.say(
        f"{formats.plural(found.runs, 'run')}, {formats.plural(found.journals, 'journal')}, "
        f"{formats.plural(found.artifacts, 'stored file')} ({how}) in {formats.duration(seconds)}: "
        f"{'everything is in order' if found.is_in_order else 'not in order'}."
    )
    if not mend and any(problem.kind is not Kind.MISSING for problem in found.problems):
        screen.remark("`runyard verify --repair` repairs what can be, and loses nothing.")


def _mark(problem: Problem) -> str:
    if problem.is_repaired:
        return screen.paint("repaired", "green")
    is_wrong = problem.kind is not Kind.LEFTOVER
    return screen.paint("wrong   " if is_wrong else "left    ", "red" if is_wrong else "yellow")
