"""`runyard rename`: another name for people; the id stays."""

from typing import Annotated

import typer

from runyard.cli import completion, screen, target
from runyard.errors import UsageError

app = typer.Typer(rich_markup_mode=None)

_LONGEST = 200


@app.command()
def rename(
    run: Annotated[str, typer.Argument(metavar="RUN", autocompletion=completion.run, show_default=False)],
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)],
) -> None:
    """Give a run another name. Its id stays.

    \b
    runyard rename 8fk2 'baseline v2'
    """
    if not name.strip() or len(name) > _LONGEST or screen.plain(name) != name:
        raise UsageError(f"'{name[:40]}' is no name. A name has 1 to {_LONGEST} visible characters.")
    with target.opened() as client:
        row = target.find_run(client, run)
        client.rename(row.id, name)
    screen.say(f"{row.id} is called {name} now.")
