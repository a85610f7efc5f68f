"""Copier, at arm's length: it is slow to import, chatty, and its complaints become ours."""

import contextlib
import io
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

from runyard.errors import ServiceError, UsageError
from runyard.git import run_git
from runyard.project.template.sources import Template


def render(template: Template, version: str, target: Path, answers: Mapping[str, object]) -> None:
    """Render a version of a template into a folder that is new or empty. No code of the template is executed.

    Raises:
        UsageError: the template cannot be rendered with these answers.
        ServiceError: Git is missing, or the disk did not take it.
    """
    need_git()
    template.provide()
    with _copier(f"The template {template.address}", target) as copier:
        copier.run_copy(template.address, target, vcs_ref=version, data=dict(answers), defaults=True, quiet=True)


def update(root: Path, version: str) -> None:
    """Merge the changes from a project's version of the template to another one into its files.

    Where both sides changed the same lines, the file is left with conflict markers.

    Raises:
        UsageError: it cannot be rendered or merged.
        ServiceError: the disk did not take it.
    """
    with _copier("The template", root) as copier:
        copier.run_update(root, vcs_ref=version, defaults=True, overwrite=True, quiet=True, conflict="inline")


def need_git() -> None:
    """Raise ServiceError if there is no Git."""
    if run_git(Path.cwd(), "--version") is None:
        raise ServiceError("Templates need Git, which was not found. Install it, e.g. with apt install git.")


@contextlib.contextmanager
def _copier(what: str, target: Path) -> Iterator[ModuleType]:
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        import copier  # late: it costs seconds, and few commands need it
        from copier.errors import CopierError, UnsafeTemplateError
        from plumbum import ProcessExecutionError

        try:
            yield copier
        except ProcessExecutionError as error:  # it is an OSError, too
            raise UsageError(f"{what} cannot be used: {_last_line(error.stderr)}") from error
        except OSError as error:
            raise ServiceError(f"{target} could not be written: {error}.") from error
        except UnsafeTemplateError as error:
            raise UsageError(f"{what} would execute code (tasks, migrations or extensions), so it is not used.") from error
        except (CopierError, ValueError, TypeError) as error:
            raise UsageError(f"{what} cannot be rendered: {_last_line(str(error)) or type(error).__name__}") from error


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "Git failed and said nothing"
