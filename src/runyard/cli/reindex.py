"""`runyard reindex`: the database, made anew from the run folders."""

import sqlite3
import time

from sqlalchemy.exc import DatabaseError

from runyard.cli import formats, screen
from runyard.cli.progress import progress_bar
from runyard.client import open_client
from runyard.database import is_damaged, set_aside
from runyard.journal import Home


def reindex() -> None:
    """Rebuild the database from the run folders, which are the truth. Nothing is lost by it."""
    began = time.monotonic()
    try:
        count, problems = _rebuild()
    except (DatabaseError, sqlite3.DatabaseError) as error:
        if not is_damaged(error):
            raise
        aside = set_aside(Home.open().database)
        screen.remark(f"The database was damaged; it is kept as {screen.plain(str(aside))}.")
        count, problems = _rebuild()
    for problem in problems:
        screen.remark(screen.plain(problem))
    screen.say(f"{formats.plural(count, 'run')} in {formats.duration(time.monotonic() - began)}.")


def _rebuild() -> tuple[int, list[str]]:
    client = open_client()
    try:
        with progress_bar("Reading runs") as progress:
            count = client.reindex(progress)
        return count, client.index.catch_up()
    finally:
        client.close()
