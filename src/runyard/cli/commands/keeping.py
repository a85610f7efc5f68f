"""The home."""

from pathlib import Path
from typing import Annotated

import typer

from runyard.cli.options import Database, Json

app = typer.Typer(rich_markup_mode=None)


@app.command("reindex")
def reindex() -> None:
    """Rebuild the database from the run folders, which are the truth. Nothing is lost by it.

    \b
    runyard reindex
    """
    from runyard.cli import reindex as command

    command.reindex()


@app.command("doctor")
def doctor(as_json: Json = False) -> None:
    """Check home, disk, database, journals, GPUs and their locks, workers and versions.

    On a machine of a team's server: whether it answers, as whom and in which version, and what is on its way there.
    Every line is ok, warn or bad, with what to do. The exit code is 1 if anything is bad.

    \b
    runyard doctor
    """
    from runyard.cli import doctor as command

    command.doctor(as_json=as_json)


@app.command("verify")
def verify(
    repair: Annotated[bool, typer.Option("--repair", help="Repair what can be; nothing is lost by it.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Without reading stored files and folding runs anew.")] = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Read every journal and every stored file of the home, and compare the index with them.

    The exit code is 1 if anything is wrong, and could not be repaired.

    \b
    runyard verify
    runyard verify --repair
    runyard verify --quick --json
    """
    from runyard.cli import verify as command

    command.verify(mend=repair, quick=quick, database=database, as_json=as_json)


@app.command("backup")
def backup(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", show_default=False)],
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Copy the home into a folder, while it is worked in; the next time only what is new.

    Runs, files, code, trash, saved views, accounts and tokens are in it. Keep it as carefully as the home.

    \b
    runyard backup /mnt/backup/runyard
    runyard --home /srv/runyard backup /mnt/backup/runyard --json
    """
    from runyard.cli import backup as command

    command.backup(folder, database=database, as_json=as_json)


@app.command("restore")
def restore_home(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", show_default=False)],
    home: Annotated[Path, typer.Option("--home", metavar="NEW", help="A folder that is new or empty.")],
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Make a home of a backup, and say what was in it.

    If it is broken off, the same command goes on with it.

    \b
    runyard restore /mnt/backup/runyard --home /srv/runyard
    """
    from runyard.cli import restore as command

    command.restore(folder, home=home, database=database, as_json=as_json)
