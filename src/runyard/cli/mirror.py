"""`runyard mirror`: runs in a MongoDB, for Omniboard."""

import time
from typing import TYPE_CHECKING

import typer

from runyard.cli import formats, screen, target
from runyard.cli.progress import progress_bar
from runyard.errors import MissingExtra, RunyardError, ServiceError

if TYPE_CHECKING:
    from runyard.bridges.sacred.mirroring import Look, Mirror

LONGEST_WAIT_S = 60.0  # between two tries while the database is away


def mirror(uri: str, *, project: str | None, where: str | None, once: bool, every_s: float) -> None:
    """Bring runs to a MongoDB look by look; with `once` a single time, and exit code 1 if anything was left out."""
    try:
        from runyard.bridges.sacred.mirroring import Mirror
    except ImportError:
        raise MissingExtra(extra="mongo", purpose="Mirroring runs to MongoDB") from None
    with target.opened() as client:
        query = target.checked_query(where)
        mirror = Mirror(client, uri, project=target.chosen_project(project, all_projects=False), query=query)
        try:
            if once:
                _look_once(mirror)
            else:
                _go_on(mirror, every_s)
        finally:
            mirror.close()


def _look_once(mirror: "Mirror") -> None:
    from pymongo.errors import PyMongoError

    from runyard.bridges.sacred.mongo import why

    try:
        with progress_bar("Mirroring runs") as progress:
            look = mirror.look(progress=progress)
    except PyMongoError as problem:
        raise ServiceError(f"{mirror.place} takes nothing: {why(problem)}") from None
    screen.say(_summary(look, mirror.place))
    _tell_problems(look)
    if look.problems:
        raise typer.Exit(1)


def _go_on(mirror: "Mirror", every_s: float) -> None:
    from pymongo.errors import PyMongoError

    from runyard.bridges.sacred.mongo import why

    screen.remark(f"Mirroring to {screen.plain(mirror.place)}; Ctrl-C ends it.")
    failures = 0
    is_first = True
    try:
        while True:
            try:
                with progress_bar("Mirroring runs") as progress:
                    look = mirror.look(progress=progress if is_first or failures else lambda done, total: None)
            except (PyMongoError, RunyardError, OSError) as problem:
                if isinstance(problem, RunyardError) and not isinstance(problem, ServiceError):
                    raise  # waiting would not help
                failures += 1
                if failures == 1:
                    screen.remark(f"Waiting: {screen.plain(f'{mirror.place}: {why(problem)}')}")
            else:
                if failures or is_first:
                    screen.say(_summary(look, mirror.place))
                _tell_problems(look)
                failures, is_first = 0, False
            time.sleep(min(every_s * 2 ** min(failures, 10), LONGEST_WAIT_S) if failures else every_s)
    except KeyboardInterrupt:
        screen.remark("")


def _summary(look: "Look", place: str) -> str:
    runs = formats.plural(look.new, "run")
    return f"{runs} new in {screen.plain(place)}, {look.updated} brought up to date, {look.edited} edited there."


def _tell_problems(look: "Look") -> None:
    for problem in look.problems:
        screen.remark(f"Left out: {screen.plain(problem)}")
