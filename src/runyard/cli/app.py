"""The program's list of commands.

Their options and help are in `commands/`, a file a heading. What a command does stands in a file of its own name,
and is imported when it is called: with it come the database and NumPy, which help and completion need not wait for.
"""

import os
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from runyard import __version__
from runyard.cli import screen
from runyard.cli.commands import changing, delivering, keeping, projects, queue, reading, showing, team, travelling

HEADINGS = {
    "Runs": reading.app,
    "Changing runs": changing.app,
    "The queue": queue.app,
    "Showing": showing.app,
    "Travelling": travelling.app,
    "Handing over": delivering.app,
    "The team's server": team.app,
    "Projects": projects.app,
    "The home": keeping.app,
}


def _names(part: typer.Typer) -> list[str]:
    return [str(command.name) for command in part.registered_commands] + [
        str(group.name) for group in part.registered_groups
    ]


COMMANDS = tuple(name for part in HEADINGS.values() for name in _names(part))


class HeadedGroup(TyperGroup):
    """Lists its commands under headings."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # Click's types, which Typer does not export
        for heading, part in HEADINGS.items():
            commands = [self.get_command(ctx, name) for name in _names(part)]
            with formatter.section(heading):
                formatter.write_dl([(command.name, command.get_short_help_str(100)) for command in commands if command])


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        screen.say(f"runyard {__version__}")
        raise typer.Exit


app = typer.Typer(cls=HeadedGroup, rich_markup_mode=None)
for part in HEADINGS.values():
    app.add_typer(part)


@app.callback()
def options(
    home: Annotated[
        str | None, typer.Option("--home", metavar="FOLDER", help="Where the runs are [RUNYARD_HOME, or ~/.runyard].")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Runs, grids and GPUs of your projects, on your own machines.

    A RUN is an id or the first characters of one, a name, or `last`.

    \b
    runyard runs                            what ran in this project
    runyard best --metric val/accuracy      which setting is best, over all seeds
    runyard show last                       everything about the latest run
    """
    if home is not None:
        os.environ["RUNYARD_HOME"] = os.path.abspath(os.path.expanduser(home))  # for processes we start, too
