"""`runyard notebook`: a notebook about runs, executed once."""

import importlib.util
import subprocess
from pathlib import Path

from runyard.apps.notebook import Subject, as_ipynb, as_percent, cells_about, execute
from runyard.apps.notebook.cells import Kind
from runyard.apps.notebook.executing import require_kernel
from runyard.apps.notebook.formats import as_json
from runyard.cli import documents, formats, screen, showing, target
from runyard.cli.progress import progress_bar
from runyard.client import Client
from runyard.drafts import drafted
from runyard.errors import UsageError
from runyard.index import RunRow
from runyard.tracking.predictions import KIND

_MOST_RUNS = 100
_SUFFIXES = (".ipynb", ".py")
_FRAMES = ("pandas", "polars")
_MOST_IN_NAME = 3


def notebook(*, runs: list[str], where: str | None, kind: str, out: Path | None, force: bool, as_json_: bool) -> None:
    """Write the file whole or not at all; everything that can be refused is refused before a kernel starts."""
    if out is not None and out.suffix not in _SUFFIXES:
        raise UsageError(f"--out says '{out}'. Write a name that ends in .ipynb (with outputs) or .py (cells of # %%).")
    if out is None or out.suffix == ".ipynb":
        require_kernel()
    with target.opened() as client:
        rows = _rows(client, runs, where)
        if not rows:
            raise UsageError("No run matches. `runyard runs` shows what there is.")
        if len(rows) > _MOST_RUNS:
            raise UsageError(f"{len(rows):,} runs are too many for a notebook; {_MOST_RUNS} fit. Choose with --where.")
        path = out or Path(_name(rows))
        _check_place(path, force=force)
        subject = _subject(client, rows)
        if kind == Kind.ERRORS and not subject.with_predictions:
            raise UsageError(
                "None of these runs has kept what it answered (run.log_predictions), so there are no errors to show."
            )
        cells = cells_about(subject, Kind(kind))
    if path.suffix == ".py":
        text = as_percent(cells)
    else:
        with progress_bar("Cells") as tell:
            text = as_json(execute(as_ipynb(cells), folder=Path.cwd(), tell=tell))
    _write(path, text)
    size_bytes = len(text.encode())
    if as_json_:
        found = {"file": str(path), "size_bytes": size_bytes, "cells": len(cells), "runs": [row.id for row in rows]}
        documents.write(found)
        return
    screen.say(f"{screen.plain(path)}: {formats.plural(len(rows), 'run')}, {formats.size(size_bytes)}")
    if path.suffix == ".ipynb" and _would_be_committed(path):
        screen.remark(
            "It holds outputs, which do not belong into a repository: `runyard check` warns of them once they are "
            "committed. Write a .py to commit, or strip it with `runyard check --fix`."
        )


def _rows(client: Client, runs: list[str], where: str | None) -> list[RunRow]:
    """The named runs and those that a query finds, each once."""
    named = [showing.find_run(client, text) for text in runs]
    found = target.find_runs(client, [], where=where) if where is not None or not runs else []
    return list({row.id: row for row in (*named, *found)}.values())


def _name(rows: list[RunRow]) -> str:
    ids = "-".join(row.id for row in rows[:_MOST_IN_NAME])
    return f"runs-{ids}{'-and-more' if len(rows) > _MOST_IN_NAME else ''}.ipynb"


def _check_place(path: Path, *, force: bool) -> None:
    if path.is_dir():
        raise UsageError(f"{path} is a folder. Give the name of a file.")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"There is no folder {path.absolute().parent} to write {path.name} into.")
    if path.exists() and not force:
        raise UsageError(f"{path} exists already. --force overwrites it, --out chooses another name.")


def _subject(client: Client, rows: list[RunRow]) -> Subject:
    rows = sorted(rows, key=lambda row: row.created_at)
    return Subject(
        project=" and ".join(dict.fromkeys(row.project for row in rows)),
        ids=[row.id for row in rows],
        names=[row.name for row in rows],
        metrics=list(target.headline_metrics(client, rows, most=6)),
        with_media=[row.id for row in rows[:_MOST_IN_NAME] if client.index.media(row.id)],
        with_predictions=[row.id for row in rows if any(each.kind == KIND for each in client.index.artifacts(row.id))],
        has_frames=any(importlib.util.find_spec(name) is not None for name in _FRAMES),
    )


def _write(path: Path, text: str) -> None:
    with drafted(path) as draft:
        draft.write_text(text, encoding="utf-8")


def _would_be_committed(path: Path) -> bool:
    """Whether the file lies in a repository of Git that does not ignore it."""
    command = ["git", "-C", str(path.absolute().parent), "check-ignore", "--quiet", str(path.absolute())]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 1  # 128: no repository
    except OSError:
        return False
