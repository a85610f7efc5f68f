"""`runyard import mlflow`: the runs of a server, of a folder, of an SQLite file."""

from collections.abc import Sequence
from pathlib import Path

import typer

from runyard.bridges.mlflow.importing import reader_of, take_in
from runyard.cli import documents, formats, screen, target
from runyard.cli.progress import progress_bar

DEFAULT_PROJECT = "mlflow"
_MOST_SHOWN = 50


def import_mlflow(
    source: str, *, project: str | None, experiments: Sequence[str], artifacts: Path | None, as_json: bool
) -> None:
    """Take MLflow's runs in; exit code 1 if anything was skipped."""
    here = target.project_here()
    into = project or (here.name if here else DEFAULT_PROJECT)
    with target.opened() as client:
        reader = reader_of(source, artifacts=artifacts)
        try:
            with progress_bar("Importing runs") as progress:
                done = take_in(client, reader, project=into, experiments=experiments, progress=progress)
        finally:
            reader.close()
    if as_json:
        documents.write(
            {"project": into, "new": done.new, "continued": done.continued, "known": done.known}
            | {"problems": done.problems}
        )
    else:
        screen.say(
            f"{formats.plural(done.new, 'run')} imported into {screen.plain(into)}; {done.continued} gone on with, "
            f"{done.known} were here already."
        )
    tell_skipped(done.problems)


def tell_skipped(problems: Sequence[str]) -> None:
    """What was skipped, with its place; anything at all makes it exit code 1."""
    for problem in problems[:_MOST_SHOWN]:
        screen.remark(f"Skipped: {screen.plain(problem)}")
    if len(problems) > _MOST_SHOWN:
        screen.remark(f"… and {len(problems) - _MOST_SHOWN} more; --json lists all.")
    if problems:
        raise typer.Exit(1)
