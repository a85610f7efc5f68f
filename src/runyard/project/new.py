"""`runyard new`: a project from the template, with everything in its place from the first minute.

Copier renders it. The template runs no code of its own, so what must run (Git) is run here.
"""

import contextlib
import io
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import runyard
from runyard.errors import ServiceError, UsageError
from runyard.git import is_ignored, run_git
from runyard.project.project import check_name

Framework = Literal["sklearn", "torch"]

FIRST_COMMIT = "Start from the Runyard template"


@dataclass(frozen=True, kw_only=True)
class NewProject:
    """What `new` has made; `note` is a sentence about Git for the user, or empty."""

    path: Path
    note: str = ""


def new(name: str, target: Path | None = None, *, framework: Framework = "sklearn") -> NewProject:
    """Make a project in `target` (else a folder called `name` in the current one), with a first commit.

    Raises:
        UsageError: the name is none, the framework is unknown, or the folder is not empty.
        ServiceError: Git is missing, or the disk did not take it.
    """
    check_name(name)
    if framework not in get_args(Framework):
        raise UsageError(f"There is no framework '{framework}'. Choose one of: {', '.join(get_args(Framework))}.")
    target = (target or Path(name)).absolute()
    _check_free(target)
    _render(name, target, framework)
    return NewProject(path=target, note=_start_history(target))


def template_folder() -> Path:
    """Where the template lies: inside an installed package, or beside `src/` in a checkout.

    Raises:
        ServiceError: it is in neither place.
    """
    package = Path(runyard.__file__).parent
    for folder in (package / "_template", package.parents[1] / "template"):
        if (folder / "copier.yml").is_file():
            return folder
    raise ServiceError(f"The template is missing from {package}. Install Runyard again.")


def _check_free(target: Path) -> None:
    if target.is_dir():
        if any(target.iterdir()):
            raise UsageError(f"{target} is not empty. Choose another name, or an empty folder.")
    elif target.exists() or target.is_symlink():
        raise UsageError(f"{target} exists and is no folder. Choose another name.")


def _render(name: str, target: Path, framework: Framework) -> None:
    template = template_folder()
    if run_git(template, "--version") is None:
        raise ServiceError("`runyard new` needs Git, which was not found. Install it, e.g. with apt install git.")
    with _silence():
        import copier  # late: it costs seconds, and no other command needs it

        try:
            copier.run_copy(
                str(template),
                target,
                data={"name": name, "framework": framework, "runyard_version": runyard.__version__},
                defaults=True,
                quiet=True,
            )
        except OSError as error:
            raise ServiceError(f"{target} could not be written: {error}.") from error


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


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Copier and its parts print and warn about things that the user of `runyard new` cannot change."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
