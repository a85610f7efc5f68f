"""The supervisor as a process: `python -m runyard.supervisor`, in one of three ways.

--order FILE|-                    one attempt, told by a file or by standard input
--standby --fd N [--warm WARM_UP] imports all that it will need, until an order comes on the unix socket N;
                                  leaves quietly if the other end closes first. With a warm-up as JSON it also
                                  keeps a training process that imports the project meanwhile; if that turns out
                                  to use the GPU, it leaves with exit code USES_GPU
--watch RUN_DIR --pid PID         for a process that called runyard.start_run()
        [--started TIME]          when that process started, in seconds since 1970
"""

import argparse
import os
import select
import socket
import sys
from importlib import import_module
from pathlib import Path

from runyard import garbage
from runyard.errors import RunyardError
from runyard.supervisor.attempt import supervise, watch
from runyard.supervisor.launch import adopt_orphans
from runyard.supervisor.order import LaunchOrder, WarmUp, decode_order, decode_warm_up, receive_order
from runyard.supervisor.waiting import IMPORT_S, USES_GPU, Waiting

# What supervise() imports after the child was started: imported while standing by, if the order leaves time for it.
LATER = ("psutil", "runyard.supervisor.supervision", "numpy", "sqlalchemy", "runyard.client")


def main(arguments: list[str]) -> int:
    """Supervise one attempt; the exit code says whether that worked, not how the run ended."""
    given = _parser().parse_args(arguments)
    try:
        if given.watch is not None:
            watch(given.watch, given.pid, started=given.started)
            return 0
        if given.standby:
            return _stand_by(given.fd, decode_warm_up(given.warm.encode()) if given.warm else None)
        supervise(_read(given.order))
    except RunyardError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _read(source: str) -> LaunchOrder:
    return decode_order(sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes())


def _stand_by(fd: int, warm_up: WarmUp | None) -> int:
    with socket.socket(fileno=fd) as connection:
        connection.set_inheritable(False)
        waiting = _start_waiting(warm_up) if warm_up is not None else None
        may_wait = _get_ready(connection, waiting)
        if not may_wait:
            connection.shutdown(socket.SHUT_RD)  # an order that has come before is obeyed, another one is refused
        order = receive_order(connection)
    if order is not None:
        supervise(order, waiting=waiting)
        return 0
    if waiting is not None:
        waiting.end()
    return 0 if may_wait else USES_GPU


def _start_waiting(warm_up: WarmUp) -> Waiting | None:
    adopt_orphans(on=True)
    try:
        return Waiting(warm_up)
    except OSError as error:
        print(f"No training process could be started ahead of its run: {error}.", file=sys.stderr)
        return None


def _get_ready(connection: socket.socket, waiting: Waiting | None) -> bool:
    """Import all that will be needed, until told otherwise; False if what waits here disturbs a run."""
    news = select.poll()
    news.register(connection, select.POLLIN)
    if waiting is not None:  # its imports first: they take longer
        news.register(waiting, select.POLLIN)
        news.poll(IMPORT_S * 1000)
        news.unregister(waiting)
    for name in LATER:
        if news.poll(0):
            return True
        import_module(name)
    garbage.leave_all()  # nothing of it will ever be garbage
    return waiting is None or not waiting.is_ready() or not _uses_gpu(waiting)


def _uses_gpu(waiting: Waiting) -> bool:
    from runyard.supervisor.sampling import gpu_uuids  # late: it needs psutil

    visible = waiting.warm_up.env.get("CUDA_VISIBLE_DEVICES", "").split(",")
    return any(waiting.uses(gpu) for gpu in gpu_uuids(visible))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m runyard.supervisor", allow_abbrev=False)
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--order", metavar="FILE", help="a launch order as JSON; - reads standard input")
    way.add_argument("--standby", action="store_true", help="wait for an order on the socket --fd")
    way.add_argument("--watch", metavar="RUN_DIR", type=Path, help="watch the process --pid")
    parser.add_argument("--fd", type=int, default=0, help="number of an inherited unix socket")
    parser.add_argument("--warm", metavar="WARM_UP", default="", help="with --standby: what to import, as JSON")
    parser.add_argument("--pid", type=int, default=0)
    parser.add_argument("--started", type=float, default=None)
    return parser


if __name__ == "__main__":
    garbage.collect_rarely()
    code = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(code)  # all is written and closed; to take NumPy and SQLAlchemy apart would keep the worker waiting
