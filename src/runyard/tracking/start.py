"""`start_run()`: tracking for notebooks and scripts that know nothing else of Runyard.

It makes the run's folder, starts a detached supervisor that watches this process, and returns at once. The end of
the process ends the run truthfully: an exception that nobody catches, `sys.exit` with a code, or a plain return.
"""

import atexit
import os
import sys
from _thread import get_ident
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep, strftime, time_ns
from types import TracebackType
from typing import Any, NoReturn

import msgspec

from runyard.errors import UsageError
from runyard.journal import Home
from runyard.journal.events import ChildBegan
from runyard.records import RunSpec, encode_spec, new_run_id
from runyard.tracking.complaints import say
from runyard.tracking.run import Run, current_run
from runyard.tracking.settings import plain
from runyard.tracking.values import check_name

RUN_DIR_VARIABLE = "RUNYARD_RUN_DIR"
ATTEMPT_VARIABLE = "RUNYARD_ATTEMPT"
LIVE_VARIABLE = "RUNYARD_LIVE"
WAITING_VARIABLE = "RUNYARD_WAITING"  # see runyard.project.child


def start_run(
    project: str | None = None,
    *,
    config: Any = None,
    name: str | None = None,
    tags: Iterable[str] = (),
    home: "str | Path | None" = None,
    parent: Run | None = None,
    live: bool = True,
) -> Run:
    """Start a run that this process is; or join the one it was started for by Runyard.

    Args:
        project: what the run belongs to; the name of the working directory if left out.
        config: a mapping, or an object that has one (pydantic model, dataclass, argparse.Namespace; hence `Any`).
        name: for people; project and time if left out.
        tags: to find it by.
        home: where the run is kept; RUNYARD_HOME or ~/.runyard if left out.
        parent: the run that this one is a part of, e.g. the search of which it is a trial. It stays open, this one
            becomes a run of its own beside it, which the same supervisor watches.
        live: in a notebook, show a chart of what is logged below the cell, about once a second; RUNYARD_LIVE=0 in the
            environment means no, too. Elsewhere it makes no difference.

    Returns:
        The run, also usable as a context manager. A run that is open in this process already is returned as it is
        when Runyard started the process; otherwise it is ended first, as a notebook's cell that is run again means:
        completed, or in a notebook as the last cell ended that logged to it.

    Raises:
        UsageError: the project, the name or a tag is no text, or the config no mapping; or the code is imported ahead
            of its run, and will be imported again when that begins.
        OSError: the home cannot be written.
        FormatUnknown: the home is of another version of Runyard.
    """
    if WAITING_VARIABLE in os.environ:
        raise UsageError("start_run was called while the code is imported ahead of its run, which has no folder yet.")
    under = os.environ.get(RUN_DIR_VARIABLE)
    before = current_run()
    if under and parent is None:
        run = before or Run.attach(under, int(os.environ.get(ATTEMPT_VARIABLE, "1")), config=config)
    else:
        if before is not None and before is not parent and (parent is None or before._thread == get_ident()):
            before._abandon()
        spec = _spec(project, config, name=name, tags=tags)
        if parent is not None:
            spec = msgspec.structs.replace(spec, parent=parent.id)
            home = home or parent.dir.parent.parent
        where = Home.open(home)
        watched = _watched_run(parent, where) if parent is not None else None
        if parent is not None and watched is None:
            _wait_for_room()
        folder = _make_folder(where, spec)
        shell = _shell()
        # rank 0: nobody tells ranks of a foreign script apart, each is a run
        run = (
            Run.attach(folder, 1, config=config, rank=0)
            if shell is None
            else _in_notebook(shell, where, folder, config=config, is_drawn=live and parent is None)
        )
        if parent is not None:
            run._inherit_stop(parent)
        if watched is not None:
            watched._event(ChildBegan(time_ns=time_ns(), run=run.id, pid=os.getpid()))
            _watched_with[run.id] = watched
        else:
            supervisor = _watching[run.id] = _start_supervisor(folder)
            if parent is not None:
                _of_children.add(supervisor)
    _end_with_the_process()
    return run


def _spec(project: str | None, config: Any, *, name: str | None, tags: Iterable[str]) -> RunSpec:
    project = check_name(os.path.basename(os.getcwd()) or "scratch" if project is None else project, what="project")
    if isinstance(tags, str):
        raise UsageError(f"tags takes a list of tags, not the text {tags!r}. Write tags=[{tags!r}].")
    return RunSpec(
        id=new_run_id(),
        project=project,
        name=check_name(f"{project} {strftime('%Y-%m-%d %H:%M:%S')}" if name is None else name, what="run name"),
        created_at=datetime.now(UTC),
        kind="external",
        config=_plain(config),
        tags=tuple(check_name(tag, what="tag") for tag in tags),
        user=_user(),
        host=os.uname().nodename,
        project_dir=os.getcwd(),
        entry="",
        command=tuple(sys.orig_argv),
    )


def _plain(config: Any) -> dict[str, Any]:
    """The config as JSON-like data."""
    if config is None:
        return {}
    if hasattr(config, "model_dump"):
        config = config.model_dump(mode="json")
    elif not hasattr(config, "keys") and hasattr(config, "__dict__") and not isinstance(config, type):
        config = vars(config)
    try:
        found = dict(config)
    except (TypeError, ValueError):
        raise UsageError(f"config must be a mapping of names to values, not {type(config).__name__}.") from None
    return dict(plain(found))


def _shell() -> Any:
    """The IPython that this code runs in, or None. Where nobody has imported it, it is not imported here."""
    find = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return find() if find else None


def _in_notebook(shell: Any, home: Home, folder: Path, *, config: Any, is_drawn: bool) -> Run:
    from runyard.tracking.notebook import NotebookRun, cells_of, page_of  # late: for notebooks alone

    run = NotebookRun.attach(folder, 1, config=config, rank=0)
    is_drawn = is_drawn and os.environ.get(LIVE_VARIABLE, "") not in ("0", "false", "no", "off")
    run.show(cells_of(shell), is_drawn=is_drawn, link=page_of(run.id, home))
    return run


def _user() -> str:
    if name := os.environ.get("USER") or os.environ.get("LOGNAME"):
        return name
    try:
        import pwd  # late: seldom needed, and absent on some platforms

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return str(os.getuid())


def _make_folder(home: Home, spec: RunSpec) -> Path:
    """Make runs/<id>/ with run.json; it appears whole, because other programs list the folder."""
    final = home.runs / spec.id
    draft = home.path / f"{spec.id}.{os.getpid()}"  # beside runs/, on the same disk
    try:
        os.makedirs(draft / "attempts" / "1")
        (draft / "run.json").write_bytes(encode_spec(spec))
        os.rename(draft, final)
    except OSError:
        import shutil  # late: only for cleaning up after a full disk

        shutil.rmtree(draft, ignore_errors=True)
        raise
    return final


def _start_supervisor(folder: Path) -> int | None:
    """Start the process that watches this one, in a session of its own; without it the run still records."""
    if not sys.executable:
        say("no Python to start a supervisor with (sys.executable is empty): nobody will watch this run")
        return None
    arguments = [sys.executable, "-P", "-m", "runyard.supervisor", "--watch", str(folder), "--pid", str(os.getpid())]
    null = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
    try:
        _supervisors.append(os.posix_spawn(sys.executable, arguments, os.environ, file_actions=null, setsid=True))
    except NotImplementedError:  # macOS has no setsid in posix_spawn
        import subprocess  # late: not needed on Linux

        quiet = subprocess.DEVNULL
        process = subprocess.Popen(arguments, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
        process.returncode = 0  # it is waited for in _reap, so Popen must not warn that it still runs
        _supervisors.append(process.pid)
    except OSError as problem:
        say(f"the supervisor of this run could not be started ({problem}): its end will be told by this process alone")
        return None
    started = _supervisors[-1]
    _reap()
    return started


def _watched_run(parent: Run, home: Home) -> Run | None:
    """The run whose supervisor can watch those below `parent`, too; None if they need one of their own."""
    run = _watched_with.get(parent.id, parent)
    if run.is_finished or run.dir.parent != home.runs:
        return None
    is_ours = str(run.dir) == os.environ.get(RUN_DIR_VARIABLE) or run._spec.kind == "external"  # else it is --inline
    _reap()
    return run if is_ours and (_watching.get(run.id) in _supervisors or run._attempt.is_supervised()) else None


_watching: dict[str, int | None] = {}  # process ids of supervisors by the run that each was started for
_watched_with: dict[str, Run] = {}  # by the id of a run below it, the one whose supervisor watches that, too
_MOST_OF_CHILDREN = 4  # a loop over short children would fill the machine with their supervisors
_LONGEST_WAIT_S = 5.0  # for one of them: it may have to wait for a server itself
_supervisors: list[int] = []  # process ids; they are our children until they are waited for
_of_children: set[int | None] = set()  # those that watch a run below another one


def _reap() -> None:
    for pid in _supervisors[:]:
        try:
            if os.waitpid(pid, os.WNOHANG)[0]:
                _supervisors.remove(pid)
        except ChildProcessError:
            _supervisors.remove(pid)  # the program waited for all of its children
    _of_children.intersection_update(_supervisors)


def _wait_for_room() -> None:
    """Before one more child: let the supervisors of earlier ones come to their end."""
    deadline = monotonic() + _LONGEST_WAIT_S
    _reap()
    while len(_of_children) >= _MOST_OF_CHILDREN and monotonic() < deadline:
        sleep(0.02)
        _reap()


# ---- the end of the process ----

_exit_code: Any = None  # what sys.exit was called with; anything is allowed there
_is_listening = False


def _end_with_the_process() -> None:
    """Have the current run finished by whatever ends this process."""
    global _is_listening
    if _is_listening:
        return
    _is_listening = True
    hook, leave = sys.excepthook, sys.exit

    def except_hook(kind: type[BaseException], exception: BaseException, trace: TracebackType | None) -> None:
        run = current_run()
        if run is not None:
            run.finish(exception)
        hook(kind, exception, trace)

    def leave_noted(status: Any = None, /) -> NoReturn:
        global _exit_code
        _exit_code = status
        leave(status)

    sys.excepthook = except_hook
    sys.exit = leave_noted  # its code reaches neither excepthook nor atexit
    atexit.register(_at_exit)


def _at_exit() -> None:
    while (run := current_run()) is not None:
        run._abandon(SystemExit(_exit_code) if _exit_code else None)
