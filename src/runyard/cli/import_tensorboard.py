"""`runyard import tensorboard`: event files become runs."""

import time
from pathlib import Path

from runyard.bridges.tensorboard.importing import Follower, Report
from runyard.cli import documents, formats, screen, target
from runyard.cli.progress import size_bar
from runyard.cli.skipped import tell_skipped
from runyard.errors import NotFound, UsageError

LOOK_S = 2.0


def import_tensorboard(folder: Path, *, project: str | None, follow: bool, as_json: bool) -> None:
    """Bring all runs below a folder; exit code 1 if anything was skipped."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder. Give the one that you would give to tensorboard --logdir.")
    report = Report()
    with target.opened() as client:
        name = project or target.chosen_project(None, all_projects=False) or folder.resolve().name
        follower = Follower(client, folder, project=name)
        if follow:
            _follow(follower, report, folder)
        else:
            _look(follower, report, folder, is_last=True)
    if as_json:
        documents.write(
            {"project": name, "new": report.new, "continued": len(report.runs) - report.new}
            | {"known": report.untouched, "points": report.points, "runs": report.runs, "problems": report.skipped}
        )
    else:
        screen.say(
            f"{formats.plural(report.new, 'run')} with {report.points:,} points imported into {screen.plain(name)}; "
            f"{len(report.runs) - report.new} gone on with, {report.untouched} were here already."
        )
    tell_skipped(report.skipped)


def _look(follower: Follower, report: Report, folder: Path, *, is_last: bool) -> None:
    with size_bar(f"{folder}") as tell:
        follower.look(report, progress=lambda done, total, _: tell(done, total), is_last=is_last)


def _follow(follower: Follower, report: Report, folder: Path) -> None:
    screen.remark("Following; Ctrl-C ends it. A run that nobody wrote to for ten minutes has ended.")
    try:
        _first_look(follower, report, folder)
        while True:
            time.sleep(LOOK_S)
            follower.look(report)
    except KeyboardInterrupt:
        screen.remark("")


def _first_look(follower: Follower, report: Report, folder: Path) -> None:
    """Look until there is something, with a bar: there may be much."""
    is_told = False
    while True:
        try:
            return _look(follower, report, folder, is_last=False)
        except NotFound:
            if not is_told:
                screen.remark(f"{screen.plain(str(folder))} holds no event files yet.")
                is_told = True
            time.sleep(LOOK_S)
