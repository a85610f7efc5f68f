"""`runyard backup`: a copy of the home, while it is worked in."""

import time
from pathlib import Path

import typer

from runyard.cli import documents, formats, screen, target
from runyard.cli.progress import size_bar
from runyard.client.care import backup as care


def backup(folder: Path, *, database: str | None, as_json: bool) -> None:
    """Bring a backup of the home up to date, or make the first one."""
    began = time.monotonic()
    with target.opened(database=database) as client:
        client.require_here("backup")
        with size_bar("Copying") as progress:
            done = care(client, folder, progress)
    seconds = time.monotonic() - began
    if as_json:
        documents.write(
            {
                "home": str(done.home),
                "backup": str(folder.absolute()),
                "runs": done.runs,
                "trashed": done.trashed,
                "artifacts": done.artifacts,
                "copied_files": done.copied_files,
                "copied_bytes": done.copied_bytes,
                "damaged": done.damaged,
                "only_here": done.only_here,
                "restless": done.restless,
                "duration_s": seconds,
            }
        )
    else:
        new = f"{formats.plural(done.copied_files, 'file')} and {formats.size(done.copied_bytes)} were new"
        screen.say(
            f"{screen.plain(folder)}: {formats.plural(done.runs + done.trashed, 'run')}, "
            f"{formats.plural(done.artifacts, 'stored file')}; {new}, in {formats.duration(seconds)}."
        )
        for sha256 in done.damaged:
            screen.remark(f"The stored file {sha256} is damaged in the home and was not copied. See `runyard verify`.")
        for sha256 in done.only_here:
            screen.remark(f"The stored file {sha256} is missing in the home; the backup keeps it.")
        for run_id in done.restless:
            screen.remark(f"Files of run {run_id} were moved all the time; the next backup brings the rest.")
    if done.damaged or done.only_here:
        raise typer.Exit(1)
