"""`runyard new`: a project from the template, with everything in its place from the first minute.

Copier renders it. The template runs no code of its own, so what must run (Git) is run here.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from runyard.errors import ServiceError, UsageError
from runyard.git import is_ignored, run_git
from runyard.project.project import check_name
from runyard.project.template.rendering import need_git, render
from runyard.project.template.sources import Template, choose, template_at

Framework = Literal["sklearn", "torch"]
Task = Literal["image-classification", "tabular", "timeseries", "detection"]
CI = Literal["gitlab", "github", "none"]

FIRST_COMMIT = "Start from the Runyard template"


@dataclass(frozen=True, kw_only=True)
class NewProject:
    """What `new` has made; `note` is a sentence about Git for the user, or empty."""

    path: Path
    note: str = ""


def new(
    name: str,
    target: Path | None = None,
    *,
    task: Task = "image-classification",
    framework: Framework = "sklearn",
    ci: CI = "gitlab",
    source: str | None = None,
) -> NewProject:
    """Make a project in `target` (else a folder called `name` in the current one), with a first commit.

    Args:
        source: the folder or address of a team's own template, a Git repository with versions as tags.

    Raises:
        UsageError: the name is none, a choice is unknown or makes no sense, or the folder is not empty.
        ServiceError: Git is missing, or the disk did not take it.
    """
    check_name(name)
    check_choices(task=task, framework=framework, ci=ci)
    target = (target or Path(name)).absolute()
    _check_free(target)
    need_git()
    template = template_at(source)
    answers = {"name": name, "task": task, "framework": framework, "ci": ci}
    _lay(template, target, answers)
    return NewProject(path=target, note=_start_history(target))


def _lay(template: Template, target: Path, answers: Mapping[str, object]) -> None:
    """Render the newest version; a folder that is new appears whole or not at all."""
    version = choose(template.versions(), None)
    if target.is_dir():  # somebody may be in it, so it cannot be exchanged for another one
        render(template, version, target, answers)
        return
    draft = target.with_name(f".{target.name}.{os.getpid()}.unfinished")
    try:
        render(template, version, draft, answers)
        os.rename(draft, target)
    except OSError as problem:
        raise ServiceError(f"{target} could not be written: {problem}.") from problem
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def check_choices(*, task: str, framework: str, ci: str) -> None:
    """Refuse what the template does not have.

    Raises:
        UsageError: a choice is unknown, or two do not go together.
    """
    for what, value, choices in (("task", task, Task), ("framework", framework, Framework), ("ci", ci, CI)):
        if value not in get_args(choices):
            raise UsageError(f"There is no {what} '{value}'. Choose one of: {', '.join(get_args(choices))}.")
    if task == "detection" and framework == "sklearn":
        raise UsageError(
            "Detection needs a network that predicts boxes, which scikit-learn does not have. "
            "Choose --framework torch, or another task."
        )


def _check_free(target: Path) -> None:
    if target.is_dir():
        if any(target.iterdir()):
            raise UsageError(f"{target} is not empty. Choose another name, or an empty folder.")
    elif target.exists() or target.is_symlink():
        raise UsageError(f"{target} exists and is no folder. Choose another name.")


def _start_history(target: Path) -> str:
    """Make the folder a repository with one commit; return what the user should know, or nothing."""
    if run_git(target, "rev-parse", "--show-toplevel") is not None and not is_ignored(target):
        return f"{target} lies in a Git repository already, so none was started; commit it there."
    if run_git(target, "init", "--quiet", "--initial-branch=main") is None:
        return f"Git could not start a repository in {target}; `git init` there will say why."
    if run_git(target, "-c", "user.useConfigOnly=true", "var", "GIT_AUTHOR_IDENT") is None:  # else it may guess one
        return "Git does not know your name, so nothing was committed yet: set user.name and user.email, then commit."
    run_git(target, "add", "--all")
    if run_git(target, "commit", "--quiet", "--message", FIRST_COMMIT) is None:
        return f"Git could not commit in {target}; `git commit` there will say why."
    return ""
