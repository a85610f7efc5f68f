"""Supervisors as processes of this machine.

Python and our imports take some tenths of a second, and those of a project seconds, in which a GPU would idle
between two runs. So spare supervisors can be kept, one a place, that have imported everything, keep a training
process that has done so too, and wait on a socket for an order; the locks travel through that socket. A spare
that died is noticed and replaced by a fresh process.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from runyard import handover
from runyard.executors.protocol import Exit, Handle

SUPERVISOR = (sys.executable, "-P", "-m", "runyard.supervisor")  # -P: a project's own files must not stand in for ours

_HAND_OVER_S = 5.0  # a spare that does not take its order within that is replaced
_REFUSAL_S = 1.0  # one that takes no order leaves by itself, if it is not stuck
_LEAVE_S = 5.0  # a spare that nobody wants ends all that it has started; it is killed if that takes longer


@dataclass(frozen=True)
class _Spare:
    process: subprocess.Popen[bytes]
    connection: socket.socket
    warm_up: bytes


class LocalExecutor:
    """Starts supervisors here, each in a session of its own.

    Args:
        log: what supervisors themselves print is appended to this file.
        command: the supervisor's command line, without its options.
    """

    def __init__(self, *, log: Path | None = None, command: Sequence[str] = SUPERVISOR) -> None:
        self._log = log
        self._command = tuple(command)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._wait_fds: dict[str, int] = {}
        self._ended: dict[str, Exit] = {}
        self._spares: dict[str, _Spare] = {}
        self._leaving: list[subprocess.Popen[bytes]] = []

    def start(self, order: bytes, *, fds: Sequence[int] = (), place: str = "") -> Handle:
        """Start a supervisor with this order: the spare one of that place, a spare one of no place, or a fresh one."""
        process = self._hand_to_spare(place, order, fds) or self._hand_to_spare("", order, fds)
        process = process or self._start_fresh(order, fds)
        handle = Handle(id=str(process.pid), pid=process.pid, wait_fd=_pidfd(process.pid))
        self._ended.pop(handle.id, None)  # the system has given a number out again
        self._processes[handle.id] = process
        if handle.wait_fd is not None:
            self._wait_fds[handle.id] = handle.wait_fd
        return handle

    def poll(self, handle: Handle) -> Exit | None:
        """How the supervisor ended; None while it runs."""
        process = self._processes.get(handle.id)
        if process is None:
            return self._ended.get(handle.id)
        code = process.poll()
        if code is None:
            return None
        del self._processes[handle.id]
        self._close_wait_fd(handle.id)
        self._ended[handle.id] = Exit(signal=-code) if code < 0 else Exit(code=code)
        return self._ended[handle.id]

    def stop(self, handle: Handle, *, grace_s: float) -> None:
        """Send SIGTERM, and SIGKILL after `grace_s`."""
        process = self._processes.get(handle.id)
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def prepare(self, warm_ups: Mapping[str, bytes]) -> dict[str, Exit]:
        """Keep one spare supervisor for each place, and none elsewhere."""
        self._leaving = [process for process in self._leaving if process.poll() is None]
        ended: dict[str, Exit] = {}
        for place, spare in list(self._spares.items()):
            code = spare.process.poll()
            if code is not None:
                ended[place] = Exit(signal=-code) if code < 0 else Exit(code=code)
            if code is not None or warm_ups.get(place) != spare.warm_up:
                self._drop_spare(place)
        for place, warm_up in warm_ups.items():
            if place not in self._spares and place not in ended:
                self._spares[place] = self._start_spare(warm_up)
        return ended

    def close(self) -> None:
        """End the spares; leave the others alone."""
        for place in list(self._spares):
            self._drop_spare(place)
        for leaving in self._leaving:
            _end(leaving, within_s=_LEAVE_S)
        self._leaving.clear()
        for handle_id, process in self._processes.items():
            process.returncode = 0  # they outlive us on purpose, and Popen would warn about that
            self._close_wait_fd(handle_id)
        self._processes.clear()

    def _hand_to_spare(self, place: str, order: bytes, fds: Sequence[int]) -> subprocess.Popen[bytes] | None:
        spare = self._spares.get(place)
        if spare is None or spare.process.poll() is not None:
            return None  # `prepare` will tell how a dead one ended
        try:
            handover.send(spare.connection, order, fds=fds)
        except OSError:  # it is about to leave, or stuck; it never got the whole order
            _end(spare.process, within_s=_REFUSAL_S)
            return None
        spare.connection.close()
        del self._spares[place]
        return spare.process

    def _start_fresh(self, order: bytes, fds: Sequence[int]) -> subprocess.Popen[bytes]:
        with tempfile.TemporaryFile() as file:  # no pipe: it would block when the order is long
            file.write(order)
            file.seek(0)
            return self._spawn(["--order", "-"], stdin=file, fds=fds)

    def _spawn(self, options: Sequence[str], *, stdin: IO[bytes] | int, fds: Sequence[int]) -> subprocess.Popen[bytes]:
        command = [*self._command, *options]
        if self._log is None:
            return _popen(command, stdin=stdin, output=subprocess.DEVNULL, fds=fds)
        with self._log.open("ab") as output:
            return _popen(command, stdin=stdin, output=output, fds=fds)

    def _start_spare(self, warm_up: bytes) -> _Spare:
        ours, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            options = ["--standby", "--fd", str(number), *(["--warm", warm_up.decode()] if warm_up else [])]
            try:
                process = self._spawn(options, stdin=subprocess.DEVNULL, fds=[number])
            except OSError:
                ours.close()
                raise
        ours.settimeout(_HAND_OVER_S)
        return _Spare(process, ours, warm_up)

    def _drop_spare(self, place: str) -> None:
        spare = self._spares.pop(place)
        spare.connection.close()  # it ends what it has started, and leaves
        self._leaving.append(spare.process)

    def _close_wait_fd(self, handle_id: str) -> None:
        fd = self._wait_fds.pop(handle_id, None)
        if fd is not None:
            os.close(fd)


def _popen(
    command: Sequence[str], *, stdin: IO[bytes] | int, output: IO[bytes] | int, fds: Sequence[int]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, stdin=stdin, stdout=output, stderr=output, pass_fds=tuple(fds), start_new_session=True
    )


def _end(process: "subprocess.Popen[bytes]", *, within_s: float) -> None:
    try:
        process.wait(within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _pidfd(pid: int) -> int | None:
    if not hasattr(os, "pidfd_open"):  # macOS: the caller looks now and then instead
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:  # an old kernel, or no descriptor left
        return None
