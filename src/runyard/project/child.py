"""The training process: `python -P -X faulthandler -m runyard.project.child [--wait FD PROJECT_DIR ENTRY]`.

It reads what was asked for, imports the project's code (from the snapshot, if the run was queued), calls
`train(config, run)` and records how that ended. Everything else is the supervisor's. Nothing may be
imported here that training does not need: a GPU waits for every millisecond.

With --wait it imports the code before there is a run for it, says so through the unix socket FD, and waits there
for the run. Whatever goes wrong until then ends it without a word: the cold start in its place will tell.
"""

import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import msgspec

from runyard import garbage
from runyard.errors import NotFound, StopRun, UsageError
from runyard.hosts import host_name, user_name
from runyard.journal import HOST, JournalWriter, RunFolder
from runyard.journal.events import Ended, Started
from runyard.records import RunSpec, RunState, decode_spec
from runyard.tracking import Run

RUN_DIR_VARIABLE = "RUNYARD_RUN_DIR"
ATTEMPT_VARIABLE = "RUNYARD_ATTEMPT"
DATA_VARIABLE = "RUNYARD_DATA"  # a JSON object: config key, or --data -> the path on this machine
SUPERVISOR_VARIABLE = "RUNYARD_SUPERVISOR_PID"
CODE_VARIABLE = "RUNYARD_CODE"  # a folder to import the project from, instead of the project's own
WAITING_VARIABLE = "RUNYARD_WAITING"  # set while the project is imported before there is a run
WAIT_OPTION = "--wait"

_PR_SET_PDEATHSIG = 1
_OWN = os.path.dirname(os.path.dirname(__file__)) + os.sep
_IMPORTLIB = os.path.dirname(import_module.__code__.co_filename) + os.sep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runyard.project.contract import DataContract

Train = Callable[[Any, Run], object]  # Any: the config is of the project's own class


class Imported(NamedTuple):
    """What the project's code gave: the default config, and the function that trains."""

    default: Any  # of the project's own class
    train: Train
    contract: "DataContract | None"


def main() -> int:
    """Be the training process of the attempt that the environment names, or that is to come; return its exit code."""
    _die_with_supervisor()
    _show_lines_at_once()
    imported = _import_and_wait() if WAIT_OPTION in sys.argv else None
    run_dir, attempt = Path(os.environ[RUN_DIR_VARIABLE]), int(os.environ[ATTEMPT_VARIABLE])
    try:
        _train(run_dir, attempt, imported, data=_data_here())
    except StopRun:
        return 0
    except SystemExit as leaving:
        return _exit_code(leaving)
    except BaseException as error:  # it is recorded; what is left to do is to show it, also Ctrl-C and its like
        _show(error)
        return 1
    return 0


def run_inline(run_dir: Path, attempt: int, *, data: Mapping[str, str]) -> None:
    """Train in this very process, for a debugger; whatever the training raises is recorded and goes on to the caller.

    Nobody captures output, samples the host or heeds time limits, and the working folder stays the project's. `data`
    has the paths that are used instead of those asked for, by config key.
    """
    place = RunFolder(run_dir).attempt(attempt)
    place.path.mkdir(parents=True)
    host = JournalWriter(place.journal(HOST), run=place.run.id, attempt=attempt, stream=HOST)
    fcntl.flock(host.fd, fcntl.LOCK_EX)  # as long as this process lives, nobody takes the attempt for abandoned
    host.event(_started(data))
    state, reason = RunState.COMPLETED, ""
    try:
        _train(run_dir, attempt, data=data)
    except BaseException as error:
        state, reason = _judge(error)
        raise
    finally:
        host.event(Ended(time_ns=time.time_ns(), state=state, reason=reason))
        host.close()


def _import_and_wait() -> Imported:
    """Import the project, then wait for a run of it and become its process; never returns if none comes."""
    import socket  # late, as the next: a cold start needs neither

    from runyard import handover

    _, number, project_dir, entry = sys.argv[-4:]
    del sys.argv[1:]  # the project's code may look there
    os.environ[WAITING_VARIABLE] = "1"
    with socket.socket(fileno=int(number)) as connection:
        connection.set_inheritable(False)
        try:
            imported = _import(project_dir, os.environ[CODE_VARIABLE], entry)
            connection.send(b"r")  # ready
            received = handover.receive(connection)
        except BaseException:  # the project's code may raise anything; a cold start raises it again, and records it
            os._exit(1)
    if received is None:
        os._exit(0)  # nobody wants us; what the imports have begun need not be ended in good order
    variables, locks = received
    for fd in locks:
        os.set_inheritable(fd, True)  # as after a cold start: the slot is taken as long as anybody has them
    del os.environ[WAITING_VARIABLE]
    os.environ.update(msgspec.json.decode(variables, type=dict[str, str]))
    return imported


def _train(run_dir: Path, attempt: int, imported: Imported | None = None, *, data: Mapping[str, str]) -> None:
    spec = decode_spec(RunFolder(run_dir).spec.read_bytes())
    try:
        imported = imported or _import(spec.project_dir, _code_folder(spec, run_dir), spec.entry)
        config = _config(spec, imported, data)
    except BaseException as error:
        # only now, so that a SIGTERM during the imports ends the process at once
        Run.attach(run_dir, attempt).finish(_without_our_frames(error))
        raise
    run = Run.attach(run_dir, attempt, config=config)
    run.data = data.get("--data", run.data)
    try:
        if imported.contract is not None:
            imported.contract.check(config, run.data)
        imported.train(config, run)
    except BaseException as error:
        run.finish(_without_our_frames(error))
        raise
    run.finish()


def _started(data: Mapping[str, str]) -> Started:
    return Started(time_ns=time.time_ns(), host=host_name(), user=user_name(), pid=os.getpid(), data=dict(data))


def _data_here() -> dict[str, str]:
    """What the supervisor says of data that lie elsewhere than they were asked for."""
    said = os.environ.get(DATA_VARIABLE)
    return msgspec.json.decode(said, type=dict[str, str]) if said else {}


def _judge(error: BaseException) -> tuple[RunState, str]:
    """What supervisor/endings.py would say, for the few ends that are possible here."""
    if isinstance(error, StopRun | KeyboardInterrupt):
        return RunState.STOPPED, f"by {user_name()}"
    if isinstance(error, SystemExit) and not error.code:
        return RunState.COMPLETED, ""
    if isinstance(error, MemoryError):
        return RunState.OUT_OF_MEMORY, "the host's memory was not enough"
    return RunState.FAILED, f"{type(error).__name__}: {error}"


def _import(project_dir: str, code_folder: str, entry: str) -> Imported:
    """Enter the project's folder and import its code: the module of the config, then that of the entry."""
    try:
        os.chdir(project_dir)
    except OSError as error:
        raise NotFound(f"The project's folder {project_dir} cannot be entered: {error.strerror}.") from None
    sys.path.insert(0, code_folder)
    module, _, name = entry.partition(":")
    with garbage.collecting_rarely():
        from runyard.config import find_config  # late: pydantic is for what comes now

        default = find_config(import_module(f"{module.rpartition('.')[0]}.config".lstrip("."))).default
        train = getattr(import_module(module), name or "train", None)
        contract = _contract(code_folder, module)
    if not callable(train):
        raise UsageError(f"{_file(module)} has no function '{name}'; write `def {name}(config, run):` there.")
    return Imported(default, train, contract)


def _contract(code_folder: str, module: str) -> "DataContract | None":
    """The data contract of the project, if it declares one."""
    package = module.partition(".")[0] if "." in module else ""
    if not os.path.exists(os.path.join(code_folder, package, "data_processing", "contract.py")):
        return None
    from runyard.project.contract import find_contract  # late: for projects that have one

    return find_contract(package)


def _code_folder(spec: RunSpec, run_dir: Path) -> str:
    named = os.environ.get(CODE_VARIABLE)
    if named:
        return named
    if not spec.code.snapshot or not (spec.is_queued or spec.reproduces):
        return spec.project_dir
    from runyard.artifacts import ArtifactStore  # late: only queued runs need them
    from runyard.journal import Home
    from runyard.project.snapshot import materialise

    home = Home(run_dir.parent.parent)
    return str(materialise(spec.code.snapshot, ArtifactStore(home.artifacts), home))


def _config(spec: RunSpec, imported: Imported, data: Mapping[str, str]) -> Any:  # Any: of the project's own class
    """The config of the run with data as they lie here, of which `train` is known to take it."""
    from runyard.config import revalidate  # late, as above
    from runyard.config.nested import value_at, with_value

    asked = spec.config
    for key, path in data.items():
        if isinstance(value_at(asked, key), str):  # --data is no key
            asked = with_value(asked, key, path)
    config = revalidate(asked, type(imported.default))
    module, _, name = spec.entry.partition(":")
    _check_signature(imported.train, config, where=f"{name} of {_file(module)}")
    return config


def _check_signature(train: Callable[..., object], config: object, *, where: str) -> None:
    import inspect

    try:
        signature = inspect.signature(train)
    except (TypeError, ValueError):
        return  # a function of C tells no signature
    try:
        signature.bind(config, None)
    except TypeError as error:
        raise UsageError(f"{where} is called as train(config, run), but takes {signature}: {error}.") from None


def _file(module: str) -> str:
    return module.replace(".", "/") + ".py"


def _die_with_supervisor() -> None:
    """Let the kernel end this process when its supervisor is gone: nobody else would watch it."""
    supervisor = os.environ.pop(SUPERVISOR_VARIABLE, None)  # meant for this process alone, not for its children
    if supervisor is None:
        return
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != int(supervisor):  # it died before we could ask the kernel
        os.kill(os.getpid(), signal.SIGKILL)


def _show_lines_at_once() -> None:
    """Behave as in a terminal: each line appears when it is complete, and no character is impossible."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]  # the interpreter made them, so they are TextIOWrappers


def _exit_code(leaving: SystemExit) -> int:
    if leaving.code is None or isinstance(leaving.code, int):
        return leaving.code or 0
    print(leaving.code, file=sys.stderr)  # as the interpreter does
    return 1


def _show(error: BaseException) -> None:
    import traceback

    sys.stdout.flush()
    traceback.print_exception(_without_our_frames(error))


def _without_our_frames(error: BaseException) -> BaseException:
    """Cut our own frames, and those of importing, off the top: what is left is the project's story."""
    trace = error.__traceback__
    while trace is not None and _is_ours(trace):
        trace = trace.tb_next
    return error.with_traceback(trace)


def _is_ours(trace: TracebackType) -> bool:
    name = trace.tb_frame.f_code.co_filename
    return name.startswith((_OWN, _IMPORTLIB, "<frozen importlib"))


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.exit(code)
