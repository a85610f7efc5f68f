"""Runs as files."""

from pathlib import Path
from typing import Annotated

import typer

from runyard.cli.options import OneRun, Runs

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


@app.command("tensorboard")
def tensorboard(
    runs: Runs = None,
    where: Annotated[
        str | None, typer.Option("--where", "-w", metavar="QUERY", help="All that match, of the current project.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="Only write event files, and keep them.")
    ] = None,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Where TensorBoard listens.")] = 6006,
    system: Annotated[bool, typer.Option("--system", help="With CPU, memory and GPU.")] = False,
) -> None:
    """Look at runs with TensorBoard: numbers, images, histograms, texts and hyperparameters.

    \b
    runyard tensorboard 8fk2 9ab1
    runyard tensorboard --where 'config.optim.lr < 0.01'
    runyard tensorboard --where 'state == "COMPLETED"' --out logs/
    """
    from runyard.cli import tensorboard as command

    raise typer.Exit(command.tensorboard(runs=runs, where=where, out=out, port=port, system=system))
