"""`runyard retry`: once more, as a new attempt of the same run."""

from typing import Annotated

import typer

from runyard.cli import completion, formats, screen, target
from runyard.records import RunState

app = typer.Typer(rich_markup_mode=None)


@app.command()
def retry(
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="RUN...", autocompletion=completion.run, show_default=False)
    ] = None,
    where: Annotated[
        str | None,
        typer.Option("--where", "-w", metavar="QUERY", help="All that match and ended otherwise than COMPLETED."),
    ] = None,
) -> None:
    """Put ended runs back into the queue, as a new attempt.

    They keep their id, their settings and the code they were submitted with, and resume from their checkpoints.

    \b
    runyard retry 8fk2
    runyard retry --where 'state == "OUT_OF_MEMORY"'
    """
    with target.opened() as client:
        named = target.find_runs(client, runs or []) if runs or where is None else []
        matching = target.find_runs(client, [], where=where) if where is not None else []
        failed = [row for row in matching if row.state.is_ended and row.state != RunState.COMPLETED]
        chosen = {row.id: row for row in named + failed}
        for row in chosen.values():
            client.retry(row.id)
            screen.say(f"{row.id} ({screen.plain(row.name)}) waits for attempt {row.attempt + 1}.")
    screen.remark(f"{formats.plural(len(chosen), 'run')} queued. `python run.py work` executes them.")
