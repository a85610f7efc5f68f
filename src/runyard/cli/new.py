"""`runyard new`: a project from the template."""

from pathlib import Path

from runyard.cli import screen
from runyard.cli.choices import CI, Framework, Task
from runyard.project.new import new as make_project


def new(*, name: str, task: Task, framework: Framework, ci: CI, source: str | None, folder: Path | None) -> None:
    """Make a project: one structure, a model that trains at once, tests that pass."""
    made = make_project(name, folder, task=task.value, framework=framework.value, ci=ci.value, source=source)
    screen.say(f"{screen.plain(made.path)} is ready.")
    if made.note:
        screen.remark(screen.plain(made.note))
    screen.remark(f"Next: cd {screen.plain(folder or name)}   python run.py train   (README.md tells the rest)")
