"""`runyard rm`: runs go to the trash, from where they can come back."""

from collections.abc import Sequence
from typing import Annotated

import typer

from runyard.cli import completion, formats, questions, screen, target
from runyard.client import trash
from runyard.index import RunRow

app = typer.Typer(rich_markup_mode=None)

_LISTED = 10


@app.command()
def rm(
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="RUN...", autocompletion=completion.run, show_default=False)
    ] = None,
    where: Annotated[
        str | None, typer.Option("--where", "-w", metavar="QUERY", help="All that match, of the current project.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Move runs to the trash. `runyard trash restore` brings them back, `runyard trash empty` frees the disk.

    All of them or none: a run that still waits or runs must be stopped first.

    \b
    runyard rm 8fk2
    runyard rm --where 'state == "FAILED" and "keep" not in tags' --yes
    """
    with target.opened() as client:
        rows = target.find_runs(client, runs or [], where=where)
        if not rows:
            screen.remark("No run matches; nothing was moved.")
            return
        if not yes:
            _list(rows)
        questions.confirm(f"Move {formats.plural(len(rows), 'run')} to the trash?", yes=yes)
        trash.put(client, [row.id for row in rows])
    screen.say(f"{formats.plural(len(rows), 'run')} moved to the trash.")


def _list(rows: Sequence[RunRow]) -> None:
    for row in rows[:_LISTED]:
        screen.remark(f"  {row.id}  {screen.plain(row.name)}  {row.state}")
    if len(rows) > _LISTED:
        screen.remark(f"  … and {len(rows) - _LISTED:,} more")
