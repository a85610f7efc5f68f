"""`runyard reindex`: the database, made anew from the run folders."""

import time

from runyard.cli import formats, screen
from runyard.cli.progress import progress_bar
from runyard.client import open_client


def reindex() -> None:
    """Rebuild the database from the run folders, which are the truth. Nothing is lost by it."""
    began = time.monotonic()
    client = open_client()
    try:
        with progress_bar("Reading runs") as progress:
            count = client.reindex(progress)
        problems = client.index.catch_up()
    finally:
        client.close()
    for problem in problems:
        screen.remark(screen.plain(problem))
    screen.say(f"{formats.plural(count, 'run')} in {formats.duration(time.monotonic() - began)}.")
