"""What the Tab key offers. It must be quick and never complain, so it asks the database file alone."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

_MOST = 200  # a shell shows no more in a useful way

_RUNS = 'SELECT id, name FROM runs WHERE NOT is_trashed AND (id LIKE ?1 ESCAPE "\\" OR name LIKE ?1 ESCAPE "\\")'


def run(incomplete: str) -> list[tuple[str, str]]:
    """Runs whose id or name begins so, the latest first, each with what helps to choose."""
    found = [("last", "the latest run")] if "last".startswith(incomplete) else []
    for run_id, name in _ask(_RUNS + " ORDER BY created_ns DESC LIMIT ?2", incomplete):
        found.append((run_id, name) if run_id.startswith(incomplete) else (name, run_id))
    return found


def metric(incomplete: str) -> list[str]:
    """Metrics that begin so."""
    return [
        key
        for (key,) in _ask(
            "SELECT DISTINCT key FROM run_metrics WHERE key LIKE ?1 ESCAPE '\\' ORDER BY key LIMIT ?2", incomplete
        )
    ]


def config_key(incomplete: str) -> list[str]:
    """Dotted config keys that begin so."""
    return [
        key
        for (key,) in _ask(
            "SELECT DISTINCT key FROM run_config WHERE key LIKE ?1 ESCAPE '\\' ORDER BY key LIMIT ?2", incomplete
        )
    ]


def run_or_metric(incomplete: str) -> list[tuple[str, str]]:
    """Runs, then metrics."""
    return run(incomplete) + [(key, "metric") for key in metric(incomplete)]


def column(incomplete: str) -> list[str]:
    """Columns of `runyard runs --columns`: the last of a list with commas."""
    before, comma, word = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in config_key(word) + metric(word)]


def _ask(statement: str, incomplete: str) -> Iterator[tuple[str, ...]]:
    home = Path(os.environ.get("RUNYARD_HOME") or Path.home() / ".runyard").expanduser()
    database = home / "runyard.db"
    if not database.is_file() or (home / "database.url").exists():  # PostgreSQL would take too long to ask
        return
    pattern = incomplete.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=0.2)) as connection:
            yield from connection.execute(statement, (pattern, _MOST))
    except sqlite3.Error:  # busy, or of another version: then there is nothing to offer
        return
