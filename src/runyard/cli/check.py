"""`runyard check`: is this project as every project is?"""

from collections.abc import Sequence
from pathlib import Path

import typer

from runyard.cli import documents, screen
from runyard.errors import UsageError
from runyard.project.project import find_root
from runyard.project.template import check_reports
from runyard.project.template.checking import Checked, Problem, check, fix
from runyard.project.template.classes import FileClass, class_of

_OWNERS = {FileClass.OWNED: "the project's own", FileClass.MERGED: "the project's and the template's"}
_COLOURS = {"error": "red", "warning": "yellow"}


def check_projects(
    paths: Sequence[Path], *, mend: bool, junit: Path | None, code_quality: Path | None, as_json: bool
) -> None:
    """Check projects, or files in them; with `mend` put right what can be."""
    only = {path.absolute() for path in paths if path.is_file()}
    found = [check(root) for root in _roots(paths)]
    if mend:
        found = [_mend(each, only) for each in found]
        _tell_unmended(found, only)
    if junit:
        junit.write_text(check_reports.junit(found), encoding="utf-8")
    if code_quality:
        code_quality.write_text(check_reports.code_quality(found), encoding="utf-8")
    if as_json:
        documents.write(check_reports.document(found))
    else:
        for each in found:
            _say(each)
    if not all(each.is_in_order for each in found):
        raise typer.Exit(1)


def _roots(paths: Sequence[Path]) -> list[Path]:
    """The projects that paths mean, each once."""
    for path in paths:
        if not path.exists():
            raise UsageError(f"There is no {path}. Name the folder of a project, or a file of one.")
    starts = [path.absolute().parent if path.is_file() else path.absolute() for path in paths] or [Path.cwd()]
    # a folder that is named is meant, even if it lacks all that makes it a project: its check will tell
    roots = [start if paths and (start / ".git").exists() else find_root(start) for start in starts]
    return list(dict.fromkeys(roots))


def _mend(checked: Checked, only: set[Path]) -> Checked:
    wrong = [each for each in checked.problems if each.can_be_fixed and (not only or checked.root / each.path in only)]
    for problem in wrong:
        fix(checked.root, problem)
        screen.remark(f"{screen.plain(problem.path)}: {_done(problem)}.")
    return check(checked.root) if wrong else checked


def _tell_unmended(found: Sequence[Checked], only: set[Path]) -> None:
    for path in sorted(only):
        root = next(each.root for each in found if path.is_relative_to(each.root))
        name = path.relative_to(root).as_posix()
        kind = class_of(name)
        if kind is not FileClass.MANAGED and path.suffix != ".ipynb":
            screen.remark(f"{screen.plain(name)} is {_OWNERS[kind]}; only managed files can be restored.")


def _done(problem: Problem) -> str:
    return "restored" if problem.rule == "managed" else "outputs taken out"


def _say(checked: Checked) -> None:
    version = f" (template {checked.version})" if checked.version else ""
    for problem in checked.problems:
        level = screen.paint(problem.level, _COLOURS[problem.level])
        screen.say(f"{screen.plain(problem.path)}:{problem.line}: {level}: {screen.plain(problem.text)}")
    errors = sum(each.level == "error" for each in checked.problems)
    name = screen.plain(checked.name)
    if errors:
        screen.say(f"{name}{screen.plain(version)}: {errors} error{'s' * (errors != 1)}.")
    else:
        screen.say(f"{name}{screen.plain(version)} is in order.")
