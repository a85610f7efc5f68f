"""`runyard restore`: a home out of a backup."""

import time
from pathlib import Path

import typer

from runyard.cli import documents, formats, screen
from runyard.cli.progress import size_bar
from runyard.client.care import restore as care


def restore(folder: Path, *, home: Path, database: str | None, as_json: bool) -> None:
    """Make a home of a backup, and say what was found in it."""
    began = time.monotonic()
    with size_bar("Copying") as progress:
        done = care(folder, home, database=database, progress=progress)
    seconds = time.monotonic() - began
    if as_json:
        documents.write(
            {
                "home": str(done.home),
                "as_of": done.as_of,
                "is_broken_off": done.is_broken_off,
                "runs": done.runs,
                "trashed": done.trashed,
                "artifacts": done.artifacts,
                "users": done.users,
                "ended": done.ended,
                "damaged": done.damaged,
                "duration_s": seconds,
            }
        )
    else:
        accounts = f", {formats.plural(done.users, 'account')}" if done.users else ""
        screen.say(
            f"{screen.plain(done.home)}: {formats.plural(done.runs, 'run')}, {done.trashed:,} in the trash, "
            f"{formats.plural(done.artifacts, 'stored file')}{accounts}, as of {done.as_of:%Y-%m-%d %H:%M} UTC, "
            f"in {formats.duration(seconds)}."
        )
        if done.is_broken_off:
            screen.remark("A later backup was broken off; what it had brought is here, too.")
        if done.ended:
            screen.remark(
                f"{formats.plural(len(done.ended), 'run')} ran when the backup was made; queued ones will resume."
            )
        for sha256 in done.damaged:
            screen.remark(f"The stored file {sha256} is damaged in the backup and was left out.")
        screen.remark("`runyard verify` looks at every byte of it.")
    if done.damaged:
        raise typer.Exit(1)
