"""The trash."""

from typing import Annotated

import typer

from runyard.cli.options import Json, Yes

app = typer.Typer(rich_markup_mode=None, invoke_without_command=True)


@app.callback()
def trash(context: typer.Context) -> None:
    """List, restore or empty the trash.

    \b
    runyard trash                  what is in it
    runyard trash restore 8fk2
    runyard trash empty            deletes for good and says how much was freed
    """
    if context.invoked_subcommand is None:
        list_trash()


@app.command("list")
def list_trash(as_json: Json = False) -> None:
    """What is in the trash.

    \b
    runyard trash list
    """
    from runyard.cli import trash as command

    command.list_(as_json=as_json)


@app.command("restore")
def restore(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", show_default=False)],
    only_checkpoints: Annotated[
        bool, typer.Option("--checkpoints", help="The checkpoints that `runyard clean` took from these runs.")
    ] = False,
) -> None:
    """Bring runs back, or the checkpoints of runs.

    \b
    runyard trash restore 8fk2
    runyard trash restore 8fk2 --checkpoints
    """
    from runyard.cli import trash as command

    command.restore(runs=runs, only_checkpoints=only_checkpoints)


@app.command("empty")
def empty(yes: Yes = False) -> None:
    """Delete for good what is in the trash, and say how much room that made.

    \b
    runyard trash empty --yes
    """
    from runyard.cli import trash as command

    command.empty(yes=yes)
