"""Starting the training process as fast as can be: what comes between an order and its exec is here.

`posix_spawn` instead of `subprocess` saves the import of the latter. What the child must do for itself
(dying with its supervisor) it does as its first act, see `runyard.project.child`.
"""

import fcntl
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from runyard.supervisor.order import LaunchOrder

PIPE_BYTES = 1 << 20  # while the supervisor writes into a database, a child may go on printing

RUN_DIR_VARIABLE = "RUNYARD_RUN_DIR"
ATTEMPT_VARIABLE = "RUNYARD_ATTEMPT"
DATA_VARIABLE = "RUNYARD_DATA"
SUPERVISOR_VARIABLE = "RUNYARD_SUPERVISOR_PID"

_CHILD = ("-P", "-X", "faulthandler", "-m", "runyard.project.child")
_PR_SET_CHILD_SUBREAPER = 36


def child_environment(order: LaunchOrder, *, run_dir: Path) -> dict[str, str]:
    """The variables of the training process."""
    return {**waiting_environment(order.env), **run_variables(order, run_dir)}


def waiting_environment(order_env: dict[str, str]) -> dict[str, str]:
    """The variables of a training process that has no run yet."""
    return {**os.environ, **order_env, SUPERVISOR_VARIABLE: str(os.getpid())}


def run_variables(order: LaunchOrder, run_dir: Path) -> dict[str, str]:
    """Those that name the run."""
    data = {DATA_VARIABLE: msgspec.json.encode(order.data).decode()} if order.data else {}
    return {RUN_DIR_VARIABLE: str(run_dir), ATTEMPT_VARIABLE: str(order.attempt), **data}


def spawn(
    environment: dict[str, str],
    *,
    output_fd: int,
    inherited_fds: Sequence[int] = (),
    options: Sequence[str] = (),
    python: str = "",
) -> int:
    """Start the training process in a session of its own; return its pid.

    Both its output streams go to `output_fd`; of all other descriptors only `inherited_fds` stay open.
    `options` are those of `runyard.project.child`; `python` is another interpreter than this process has.

    Raises:
        OSError: no process could be started.
    """
    for fd in inherited_fds:
        os.set_inheritable(fd, True)
    return os.posix_spawn(
        python or sys.executable,
        [python or sys.executable, *_CHILD, *options],
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output_fd, 1),
            (os.POSIX_SPAWN_DUP2, output_fd, 2),
        ],
        setsid=True,
        setsigmask=(),
        setsigdef=(signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGHUP),
    )


def output_pipe() -> tuple[int, int]:
    """A wide pipe: the end to read, which never blocks, and the end to write."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    try:
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except (AttributeError, OSError):
        pass  # not Linux, or the user's pipes take too much memory already: a usual pipe works too
    return reader, writer


def adopt_orphans(*, on: bool) -> None:
    """From now on, or no longer, become the parent of orphaned descendants (Linux; elsewhere nothing happens)."""
    if sys.platform == "linux":
        import ctypes  # late: it is not everywhere, and here only Linux needs it

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0)
