"""`runyard new`: a project from the template."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from runyard.cli import screen
from runyard.project.new import new as make_project

app = typer.Typer(rich_markup_mode=None)


class FrameworkChoice(StrEnum):
    """What the project's model is written in."""

    SKLEARN = "sklearn"
    TORCH = "torch"


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits, - and _.", show_default=False)],
    framework: Annotated[FrameworkChoice, typer.Option(help="What the example model uses.")] = FrameworkChoice.SKLEARN,
    folder: Annotated[Path | None, typer.Option("--dir", metavar="FOLDER", help="Where to [./NAME].")] = None,
) -> None:
    """Make a project: one structure, a model that trains at once, tests that pass.

    \b
    runyard new weld-seam
    runyard new weld-seam --framework torch --dir ~/projects/weld-seam
    """
    made = make_project(name, folder, framework=framework.value)
    screen.say(f"{screen.plain(made.path)} is ready.")
    if made.note:
        screen.remark(screen.plain(made.note))
    screen.remark(f"Next: cd {screen.plain(folder or name)}   python run.py train   (README.md tells the rest)")
