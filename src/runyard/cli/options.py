"""Arguments and options that several commands share."""

from typing import Annotated

import typer

from runyard.cli import completion

OneRun = Annotated[str, typer.Argument(metavar="RUN", autocompletion=completion.run, show_default=False)]
Runs = Annotated[list[str] | None, typer.Argument(metavar="RUN...", autocompletion=completion.run, show_default=False)]
Where = Annotated[str | None, typer.Option("--where", "-w", metavar="QUERY", help="Only runs that match.")]
OfProject = Annotated[str | None, typer.Option(help="Of this project [that of the current folder].")]
AllProjects = Annotated[bool, typer.Option("--all", "-a", help="Of all projects.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
Database = Annotated[
    str | None, typer.Option("--database", metavar="URL", help="postgresql://… instead of the file in the home.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
