"""`runyard stop`: ask running runs to stop, take waiting ones out of the queue."""

from typing import Annotated

import typer

from runyard.cli import completion, screen, target

app = typer.Typer(rich_markup_mode=None)


@app.command()
def stop(
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="RUN...", autocompletion=completion.run, show_default=False)
    ] = None,
    where: Annotated[
        str | None, typer.Option("--where", "-w", metavar="QUERY", help="All unended runs that match.")
    ] = None,
    why: Annotated[str, typer.Option(help="The reason; it is kept with the run.")] = "",
) -> None:
    """Stop running runs, or take waiting ones out of the queue.

    Training gets SIGTERM and some seconds to save; then the whole process tree is ended.

    \b
    runyard stop 8fk2 --why 'diverged'
    runyard stop --where 'grid == "lr-7f3a" and state == "QUEUED"'
    """
    with target.opened() as client:
        named = target.find_runs(client, runs or []) if runs or where is None else []
        matching = target.find_runs(client, [], where=where) if where is not None else []
        known = {row.id for row in named}
        for row in named + [row for row in matching if row.id not in known and not row.state.is_ended]:
            screen.say(screen.plain(client.request_stop(row.id, why=why)))
