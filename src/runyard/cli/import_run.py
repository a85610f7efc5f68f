"""`runyard import`: a run out of a file that `runyard export` wrote."""

from pathlib import Path
from typing import Annotated

import typer

from runyard.cli import screen, target
from runyard.client import travel

app = typer.Typer(rich_markup_mode=None)


@app.command()
def import_(file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)]) -> None:
    """Take a run out of a file that `runyard export` wrote.

    The file is examined before anything is written; a run that is here already is left as it is. Nothing of it is
    executed, unless you retry the run.

    \b
    runyard import baseline.tar.gz
    """
    with target.opened() as client:
        done = travel.import_run(client, file)
        row = client.index.get(done.run_id)
    what = "imported" if done.is_new else "is here already, and is the same; nothing was changed"
    screen.say(f"{row.id} ({screen.plain(row.name)}, {screen.plain(row.project)}) {what}.")
