"""`python run.py …` and `python -m …` to their end, in processes that need not import the libraries once more.

Imports are nine tenths of a short command, and the tests type some hundred of them. So one process of this file has
imported what commands need of other people's packages and of the client, and forks itself for each command: a process
with its own arguments, variables, folder, streams and end. `call` goes there if that makes no difference, and starts a
fresh interpreter otherwise. What is told about imports, signals or terminals is tested with fresh ones.
"""

import atexit
import gc
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
from typing import IO, Any

SOURCE = Path(__file__).parents[1] / "src"
_PRELOADED = (
    *("typer", "pydantic", "ruamel.yaml", "psutil", "numpy", "sqlalchemy", "sqlalchemy.dialects.sqlite", "sqlite3"),
    *("rich.console", "rich.table", "runyard.client", "runyard.config", "runyard.index", "runyard.queue"),
    *("runyard.project", "runyard.cli.app", "runyard.cli.runs", "runyard.cli.project.app", "runyard.cli.project.train"),
)
_FREE = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHON_GIL")  # variables of the interpreter that may differ
_LONGEST = 200_000  # bytes of a message, far more than any command line with its variables


def call(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout_s: float = 120
) -> "subprocess.CompletedProcess[str]":
    """What `subprocess.run([sys.executable, *command], capture_output=True, text=True)` returns; it reads no input.

    Raises:
        subprocess.TimeoutExpired: it takes longer than `timeout_s`; it is killed.
    """
    if not _is_forkable(command, env):
        fresh = [sys.executable, *command]
        return subprocess.run(
            fresh, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s
        )
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        code = _Starter.get().run({"command": list(command), "cwd": str(cwd), "env": dict(env)}, out, err, timeout_s)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess([sys.executable, *command], code, out.read(), err.read())


def _is_forkable(command: Sequence[str], env: Mapping[str, str]) -> bool:
    if not hasattr(os, "pidfd_open") or not (command[0] == "-m" or command[0].endswith(".py")):
        return False
    if env.get("PYTHONPATH", str(SOURCE)).split(os.pathsep)[0] != str(SOURCE):
        return False
    return _of_interpreter(env) == _of_interpreter(os.environ)


def _of_interpreter(env: Mapping[str, str]) -> dict[str, str]:
    named = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_")
    return {key: value for key, value in env.items() if key.startswith(named) and key not in _FREE}


class _Starter:
    """The process that has imported everything, seen from a test."""

    _only: "_Starter | None" = None

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LONGEST)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                env=os.environ | {"PYTHONPATH": str(SOURCE)},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        atexit.register(self.end)

    @classmethod
    def get(cls) -> "_Starter":
        if cls._only is None or cls._only._pid != os.getpid() or cls._only._process.poll() is not None:
            cls._only = cls()
        return cls._only

    def run(self, order: dict[str, Any], out: IO[str], err: IO[str], timeout_s: float) -> int:
        """The exit code; as of `subprocess`, the negative number of the signal that ended it."""
        mine, theirs = socket.socketpair()
        with mine:
            with theirs:
                fds = [theirs.fileno(), out.fileno(), err.fileno()]
                socket.send_fds(self._connection, [json.dumps(order).encode()], fds)
            with mine.makefile("r") as told:
                pid = told.readline()
                mine.settimeout(timeout_s)
                try:
                    code = told.readline()
                except TimeoutError:
                    os.kill(int(pid), signal.SIGKILL)
                    raise subprocess.TimeoutExpired(order["command"], timeout_s) from None
        assert code, "the process that starts commands has ended"
        return int(code)

    def end(self) -> None:
        if self._pid != os.getpid():
            return
        self._connection.close()
        self._process.wait()


def main(connection: socket.socket) -> None:
    """Fork for each order until the tests have ended; return in the forked process alone, with all prepared."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests
    for name in _PRELOADED:
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
    command = order["command"]
    sys.argv = command[1:] if command[0] == "-m" else list(command)
    first = os.getcwd() if command[0] == "-m" else os.path.dirname(os.path.abspath(command[0]))
    named = os.environ.get("PYTHONPATH", "")
    more = [each for each in named.split(os.pathsep) if each and each != str(SOURCE)]
    sys.path[:1] = [first]
    sys.path[2:2] = more
    sys.path_importer_cache.clear()


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
    import runpy

    if sys.argv[0].endswith(".py"):
        program = os.path.abspath(sys.argv[0])
        sys.modules["__main__"] = module = ModuleType("__main__")
        module.__file__ = program
        exec(compile(Path(program).read_bytes(), program, "exec"), module.__dict__)
    else:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
