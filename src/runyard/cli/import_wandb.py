"""`runyard import wandb`: W&B's run files become runs."""

from pathlib import Path

from runyard.bridges.wandb.importing import take_in
from runyard.cli import documents, formats, screen, target
from runyard.cli.progress import size_bar
from runyard.cli.skipped import tell_skipped
from runyard.errors import UsageError


def import_wandb(folder: Path, *, project: str | None, outside: bool, as_json: bool) -> None:
    """Take W&B's runs in; exit code 1 if anything was skipped."""
    if not folder.exists():
        raise UsageError(
            f"There is no folder {folder}. Name the folder `wandb` that lies where the training was started."
        )
    here = target.project_here()
    into = project or (here.name if here else None)
    with target.opened() as client, size_bar("Importing runs") as progress:
        done = take_in(client, folder, project=into, outside=outside, progress=progress)
    if as_json:
        documents.write(
            {"project": into, "new": done.new, "continued": done.continued, "known": done.known}
            | {"points": done.points, "problems": done.problems}
        )
    else:
        where = f"into {screen.plain(into)}" if into else "into the projects of their names"
        screen.say(
            f"{formats.plural(done.new, 'run')} with {done.points:,} points imported {where}; "
            f"{done.continued} gone on with, {done.known} were here already."
        )
    tell_skipped(done.problems)
