"""`runyard import tensorboard`: event files become runs."""

import time
from pathlib import Path

from runyard.bridges.tensorboard.importing import Follower, Report
from runyard.cli import formats, screen, target
from runyard.cli.progress import size_bar
from runyard.errors import UsageError

LOOK_S = 2.0


def import_tensorboard(folder: Path, *, project: str | None, follow: bool) -> int:
    """Bring all runs below a folder; return the exit code: 1 if something could not be read."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder. Give the one that you would give to tensorboard --logdir.")
    report = Report()
    with target.opened() as client:
        name = project or target.chosen_project(None, all_projects=False) or folder.resolve().name
        follower = Follower(client, folder, project=name)
        with size_bar(f"{folder}") as tell:
            follower.look(report, progress=lambda done, total, _: tell(done, total), is_last=not follow)
        if follow:
            screen.remark("Following; Ctrl-C ends it. A run that nobody wrote to for ten minutes has ended.")
            try:
                while True:
                    time.sleep(LOOK_S)
                    follower.look(report)
            except KeyboardInterrupt:
                screen.remark("")
    _tell(report, name)
    return 1 if report.skipped else 0


def _tell(report: Report, project: str) -> None:
    runs = formats.plural(len(report.runs), "run")
    screen.say(f"{runs} with {report.points:,} points imported into {screen.plain(project)}.")
    if report.untouched:
        screen.say(f"{formats.plural(report.untouched, 'run')} were here already, whole.")
    for problem in report.skipped:
        screen.remark(f"skipped: {screen.plain(problem)}")
