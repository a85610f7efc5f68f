"""Runs as files."""

from pathlib import Path
from typing import Annotated

import typer

from runyard.cli.options import OneRun

app = typer.Typer(rich_markup_mode=None)


@app.command("export")
def export(
    run: OneRun,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Where to [ID.runyard.tar.gz].")
    ] = None,
) -> None:
    """Write a run with all that belongs to it into one file: journals, checkpoints, files, code.

    `runyard import` takes it in, on another machine, too.

    \b
    runyard export 8fk2 --out baseline.tar.gz
    """
    from runyard.cli import export as command

    command.export(run=run, out=out)


@app.command("import")
def import_(file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)]) -> None:
    """Take a run out of a file that `runyard export` wrote.

    The file is examined before anything is written; a run that is here already is left as it is. Nothing of it is
    executed, unless you retry the run.

    \b
    runyard import baseline.tar.gz
    """
    from runyard.cli import import_run as command

    command.import_(file=file)
