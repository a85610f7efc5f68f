"""`runyard note`: what a person has to say about a run."""

from typing import Annotated

import typer

from runyard.cli import completion, screen, target

app = typer.Typer(rich_markup_mode=None)


@app.command()
def note(
    run: Annotated[str, typer.Argument(metavar="RUN", autocompletion=completion.run, show_default=False)],
    text: Annotated[str, typer.Argument(metavar="TEXT", show_default=False)],
) -> None:
    """Write a note on a run; it replaces the one before, and an empty text removes it.

    \b
    runyard note 8fk2 'diverges after epoch 30, see #12'
    """
    with target.opened() as client:
        row = target.find_run(client, run)
        client.note(row.id, text)
    screen.say(f"{row.id} ({screen.plain(row.name)}): {'noted' if text else 'the note is gone'}.")
