"""`runyard new`: a project from the template."""

from pathlib import Path

from runyard.cli import screen
from runyard.cli.choices import Framework
from runyard.project.new import new as make_project


def new(*, name: str, framework: Framework, folder: Path | None) -> None:
    """Make a project: one structure, a model that trains at once, tests that pass."""
    made = make_project(name, folder, framework=framework.value)
    screen.say(f"{screen.plain(made.path)} is ready.")
    if made.note:
        screen.remark(screen.plain(made.note))
    screen.remark(f"Next: cd {screen.plain(folder or name)}   python run.py train   (README.md tells the rest)")
