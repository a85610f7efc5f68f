"""A database that cannot be used: what to tell, and how to get out of the way.

All that is in it can be rebuilt from the run folders, so nothing is lost with it.
"""

import sqlite3
import time
from pathlib import Path

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_ADVICE = {
    sqlite3.SQLITE_FULL: "Make room on its disk; nothing is lost, and what was recorded meanwhile is read then.",
    sqlite3.SQLITE_IOERR: "Look after its disk; `runyard doctor` tells how full it is.",
    sqlite3.SQLITE_READONLY: "Give yourself the right to write it, or choose another home with RUNYARD_HOME.",
    sqlite3.SQLITE_CANTOPEN: "Give yourself the right to open it, or choose another home with RUNYARD_HOME.",
    sqlite3.SQLITE_BUSY: "Another process holds it for long; try again, and look what it does.",
}


_ADVICE_OF_SERVER = {  # by the class of PostgreSQL's code, or the whole code
    "53": "Make room there: on its disk, in its memory, or among its connections. Nothing is lost meanwhile.",
    "55P03": "Another process holds it for long; try again, and look what it does.",
    "42501": "Let the user of its URL own the tables.",
    "25006": "It takes no writes: it is a copy of another server, or set so. Give the URL of the one that does.",
}
_AWAY = "Look whether PostgreSQL runs there. Nothing is lost: what is recorded meanwhile is read then."


def is_damaged(error: BaseException) -> bool:
    """Whether an error of the database means that its file is garbage, in whole or in part."""
    return _code(error) in _DAMAGED


def explain(error: BaseException) -> str:
    """A sentence for the user if the error is one of a database that cannot be used, else nothing."""
    if is_damaged(error):
        return (
            f"The database of the home is damaged ({_text(error)}). "
            "Nothing is lost: `runyard reindex` builds a new one from the run folders."
        )
    advice = _ADVICE.get(_code(error)) or _advice_of_server(error)
    return f"The database of the home cannot be used ({_text(error)}). {advice}" if advice else ""


def set_aside(path: Path) -> Path:
    """Rename a database and what belongs to it, so that the next one who opens it makes a new one; return its place."""
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    for ending in (
        "-wal",
        "-shm",
        "",
    ):  # the file itself comes last: nobody may open it with half of what belongs to it
        try:
            path.with_name(path.name + ending).rename(aside.with_name(aside.name + ending))
        except FileNotFoundError:
            continue
    return aside


def _advice_of_server(error: BaseException) -> str | None:
    origin = _origin(error)
    if not type(origin).__module__.startswith("psycopg"):
        return None
    code = getattr(origin, "sqlstate", None) or ""
    found = _ADVICE_OF_SERVER.get(code) or _ADVICE_OF_SERVER.get(code[:2])
    if found or not (type(origin).__name__ == "OperationalError" or code.startswith(("08", "57P"))):
        return found
    return _AWAY


def _code(error: BaseException) -> int:
    found = _origin(error)
    return (found.sqlite_errorcode & 0xFF) if hasattr(found, "sqlite_errorcode") else -1  # without the extended part


def _text(error: BaseException) -> str:
    return " ".join(str(_origin(error)).split())


def _origin(error: BaseException) -> BaseException:
    """SQLAlchemy wraps what SQLite raised."""
    return getattr(error, "orig", None) or error
