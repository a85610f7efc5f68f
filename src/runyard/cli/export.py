"""`runyard export`: a run as one file."""

from pathlib import Path
from typing import Annotated

import typer

from runyard.cli import completion, formats, screen, target
from runyard.client import travel

app = typer.Typer(rich_markup_mode=None)


@app.command()
def export(
    run: Annotated[str, typer.Argument(metavar="RUN", autocompletion=completion.run, show_default=False)],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Where to [ID.runyard.tar.gz].")
    ] = None,
) -> None:
    """Write a run with all that belongs to it into one file: journals, checkpoints, files, code.

    `runyard import` takes it in, on another machine, too.

    \b
    runyard export 8fk2 --out baseline.tar.gz
    """
    with target.opened() as client:
        row = target.find_run(client, run)
        path = out or Path(f"{row.id}.runyard.tar.gz")
        done = travel.export_run(client, row.id, path)
    screen.say(
        f"{screen.plain(path)}: {row.id}, {formats.plural(done.members, 'file')}, {formats.size(done.size_bytes)}"
    )
    for name in done.left_out:
        screen.remark(f"Left out, since it is no ordinary file: {screen.plain(name)}")
