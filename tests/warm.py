"""`python run.py …` and `python -m …` in processes that need not import the libraries once more.

Imports are nine tenths of a short command, and the tests type some hundred of them. So one process of this file has
imported what commands need of other people's packages and of the client, and forks itself for each command: a process
with its own arguments, variables, folder, streams and end. `call` waits for the end, `start` does not; both go there if
that makes no difference, and start a fresh interpreter otherwise. What is told about imports, signals or terminals is
tested with fresh ones.
"""

import atexit
import gc
import io
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import IO, Any, ClassVar

SOURCE = Path(__file__).parents[1] / "src"
_PRELOADED = (
    *("typer", "pydantic", "ruamel.yaml", "psutil", "numpy", "sqlalchemy", "sqlalchemy.dialects.sqlite", "sqlite3"),
    *("rich.console", "rich.table", "runyard.client", "runyard.config", "runyard.index", "runyard.queue"),
    *("runyard.project", "runyard.cli.app", "runyard.cli.runs", "runyard.cli.project.app", "runyard.cli.project.train"),
)
_FREE = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHON_GIL")  # of the interpreter; may differ
_ENVIRONMENT = dict(os.environ)  # before any test has changed it
_LONGEST = 200_000  # bytes of a message, far more than any command line with its variables


def call(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout_s: float = 120, imports: Sequence[str] = ()
) -> "subprocess.CompletedProcess[str]":
    """What `subprocess.run([sys.executable, *command], capture_output=True, text=True)` returns; it reads no input.

    Args:
        imports: modules that it will need, beside those of every command; NAME=value among them is a variable for
            their import. Commands with the same share a warm process.

    Raises:
        subprocess.TimeoutExpired: it takes longer than `timeout_s`; it is killed.
    """
    if not _is_forkable(command, env):
        fresh = [sys.executable, *command]
        return subprocess.run(
            fresh, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s
        )
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = _Starter.get(imports).start(command, cwd=cwd, env=env, out=out.fileno(), err=err.fileno())
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess([sys.executable, *command], code, out.read(), err.read())


def start(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    out: IO[Any],
    err: IO[Any] | None = None,
    imports: Sequence[str] = (),
) -> "Process | subprocess.Popen[bytes]":
    """A process of `python COMMAND` that is left running; it reads no input.

    Args:
        out: gets what it writes, to both streams where there is no `err`.
        imports: as of `call`.
    """
    if not _is_forkable(command, env):
        fresh = [sys.executable, *command]
        return subprocess.Popen(fresh, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err or out)
    return _Starter.get(imports).start(command, cwd=cwd, env=env, out=out.fileno(), err=(err or out).fileno())


SERVER = ("runyard.cli.ui", "runyard.cli.server", "uvicorn.loops.auto", "uvicorn.lifespan.on")  # what one imports


class Process:
    """A forked process, with the part of `subprocess.Popen` that tests need.

    Attributes:
        returncode: None until `poll` or `wait` has seen its end.
    """

    def __init__(self, command: Sequence[str], told: socket.socket) -> None:
        self.args = [sys.executable, *command]
        self.returncode: int | None = None
        self._told = told  # closed by the garbage collector at the latest
        self._lines = told.makefile("r")
        self.pid = int(self._lines.readline())

    def poll(self) -> int | None:
        """How it ended, as of `subprocess`; None while it runs."""
        if self.returncode is None and select.select([self._told], [], [], 0)[0]:
            self._hear()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, when it has one; as of `subprocess`, the negative number of the signal that ended it."""
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
            self._hear()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Nothing happens to one that has ended."""
        if self.poll() is None:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:  # its end is not told yet
                pass

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _hear(self) -> None:
        code = self._lines.readline()
        assert code, "the process that starts commands has ended"
        self.returncode = int(code)
        self._lines.close()
        self._told.close()


def _is_forkable(command: Sequence[str], env: Mapping[str, str]) -> bool:
    if not hasattr(os, "pidfd_open") or not (command[0] in ("-m", "-c") or command[0].endswith(".py")):
        return False
    if env.get("PYTHONPATH", str(SOURCE)).split(os.pathsep)[0] != str(SOURCE):
        return False
    return _of_interpreter(env) == _of_interpreter(_ENVIRONMENT)


def _of_interpreter(env: Mapping[str, str]) -> dict[str, str]:
    named = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_")
    return {key: value for key, value in env.items() if key.startswith(named) and key not in _FREE}


class _Starter:
    """A process that has imported everything, seen from a test."""

    _all: ClassVar[dict[tuple[str, ...], "_Starter"]] = {}

    def __init__(self, imports: tuple[str, ...]) -> None:
        self._pid = os.getpid()
        self._connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LONGEST)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno()), *imports],
                env=_ENVIRONMENT | {"PYTHONPATH": str(SOURCE)},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        atexit.register(self.end)

    @classmethod
    def get(cls, imports: Sequence[str] = ()) -> "_Starter":
        key = tuple(imports)
        known = cls._all.get(key)
        if known is None or known._pid != os.getpid() or known._process.poll() is not None:
            known = cls._all[key] = cls(key)
        return known

    def start(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], out: int, err: int) -> Process:
        order = {"command": list(command), "cwd": str(cwd), "env": dict(env)}
        mine, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._connection, [json.dumps(order).encode()], [theirs.fileno(), out, err])
        return Process(command, mine)

    def end(self) -> None:
        if self._pid != os.getpid():
            return
        self._connection.close()
        self._process.wait()


def main(connection: socket.socket, imports: Sequence[str]) -> None:
    """Fork for each order until the tests have ended; return in the forked process alone, with all prepared."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests
    for name in (*_PRELOADED, *imports):
        variable, is_variable, value = name.partition("=")
        if is_variable:
            os.environ[variable] = value
        else:
            import_module(name)
    gc.freeze()
    running: dict[int, tuple[int, socket.socket]] = {}  # pidfd -> pid, and who wants to hear of its end
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd in running:
                poll.unregister(fd)
                pid, asking = running.pop(fd)
                _, status = os.waitpid(pid, 0)
                os.close(fd)
                _tell(asking, os.waitstatus_to_exitcode(status))
                asking.close()
                continue
            order, fds, _, _ = socket.recv_fds(connection, _LONGEST, 3)
            if not order:
                os._exit(0)
            pid = os.fork()
            if pid == 0:
                connection.close()
                for other, (_, theirs) in running.items():
                    os.close(other)
                    theirs.close()
                os.close(fds[0])
                _become(json.loads(order), *fds[1:])
                return
            asking = socket.socket(fileno=fds[0])
            for fd in fds[1:]:
                os.close(fd)
            _tell(asking, pid)
            pidfd = os.pidfd_open(pid)
            running[pidfd] = pid, asking
            poll.register(pidfd, select.POLLIN)


def _tell(asking: socket.socket, number: int) -> None:
    try:
        asking.sendall(b"%d\n" % number)
    except OSError:  # the test has given up
        pass


def _become(order: dict[str, Any], out: int, err: int) -> None:
    """Be the process of that command, as a fresh interpreter would be before its first line."""
    for theirs, ours in ((out, 1), (err, 2)):
        os.dup2(theirs, ours)
        os.close(theirs)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    if os.environ.get("PYTHONUNBUFFERED") and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    command = order["command"]
    sys.argv = command[1:] if command[0] == "-m" else list(command)
    first = os.path.dirname(os.path.abspath(command[0])) if command[0].endswith(".py") else os.getcwd()
    named = os.environ.get("PYTHONPATH", "")
    more = [each for each in named.split(os.pathsep) if each and each != str(SOURCE)]
    sys.path[:1] = [first]
    sys.path[2:2] = more
    sys.path_importer_cache.clear()


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
    import runpy

    if sys.argv[0] == "-c" or sys.argv[0].endswith(".py"):
        sys.modules["__main__"] = module = ModuleType("__main__")
        if sys.argv[0] == "-c":
            code = compile(sys.argv.pop(1), "<string>", "exec")
        else:
            module.__file__ = os.path.abspath(sys.argv[0])
            code = compile(Path(module.__file__).read_bytes(), module.__file__, "exec")
        exec(code, module.__dict__)
    else:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
