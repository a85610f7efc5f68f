"""The supervisor as a process: `python -m runyard.supervisor`, in one of three ways.

--order FILE|-                    one attempt, told by a file or by standard input
--standby --fd N                  imports all that it will need, until an order comes on the unix socket N;
                                  leaves quietly if the other end closes first
--watch RUN_DIR --pid PID         for a process that called runyard.start_run()
        [--started TIME]          when that process started, in seconds since 1970
"""

import argparse
import gc
import os
import select
import socket
import sys
from importlib import import_module
from pathlib import Path

from runyard.errors import RunyardError
from runyard.supervisor.attempt import supervise, watch
from runyard.supervisor.order import LaunchOrder, decode_order, receive_order

# What supervise() imports after the child was started: imported while standing by, if the order leaves time for it.
LATER = ("psutil", "runyard.supervisor.supervision", "numpy", "sqlalchemy", "runyard.client")
REST_S = 1.0  # first the cores belong to the run that has just been started, and has much to import


def main(arguments: list[str]) -> int:
    """Supervise one attempt; the exit code says whether that worked, not how the run ended."""
    given = _parser().parse_args(arguments)
    try:
        if given.watch is not None:
            watch(given.watch, given.pid, started=given.started)
            return 0
        order = _stand_by(given.fd) if given.standby else _read(given.order)
        if order is not None:
            supervise(order)
    except RunyardError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _read(source: str) -> LaunchOrder:
    return decode_order(sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes())


def _stand_by(fd: int) -> LaunchOrder | None:
    with socket.socket(fileno=fd) as connection:
        _import_until_told(connection)
        return receive_order(connection)


def _import_until_told(connection: socket.socket) -> None:
    order = select.poll()
    order.register(connection, select.POLLIN)
    if order.poll(REST_S * 1000):
        return
    for name in LATER:
        import_module(name)
        if order.poll(0):
            return
    gc.freeze()  # nothing of all that will ever be garbage


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m runyard.supervisor", allow_abbrev=False)
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--order", metavar="FILE", help="a launch order as JSON; - reads standard input")
    way.add_argument("--standby", action="store_true", help="wait for an order on the socket --fd")
    way.add_argument("--watch", metavar="RUN_DIR", type=Path, help="watch the process --pid")
    parser.add_argument("--fd", type=int, default=0, help="number of an inherited unix socket")
    parser.add_argument("--pid", type=int, default=0)
    parser.add_argument("--started", type=float, default=None)
    return parser


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(code)  # all is written and closed; to take NumPy and SQLAlchemy apart would keep the worker waiting
