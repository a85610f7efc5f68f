"""The queue."""

from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None)


@app.command("reserve")
def reserve(
    slots: Annotated[
        list[str] | None,
        typer.Argument(metavar="SLOT...", help="GPUs by number [list what is reserved].", show_default=False),
    ] = None,
    duration: Annotated[str | None, typer.Option("--for", metavar="TIME", help="How long: 4h, 90m, 2d.")] = None,
    why: Annotated[str, typer.Option(help="The reason, shown to the others.")] = "",
    end: Annotated[bool, typer.Option("--end", help="Give them back to the queue now.")] = False,
) -> None:
    """Keep the queue off GPUs of this machine for some hours; who reserved one may train on it in a terminal.

    \b
    runyard reserve                              what is reserved
    runyard reserve 0 --for 4h --why 'a demo'
    runyard reserve 0 --end
    """
    from runyard.cli import reserve as command

    command.reserve(slots=slots or [], duration=duration, why=why, is_end=end)
