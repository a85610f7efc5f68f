"""Supervisors as processes of this machine.

Python and our imports take some tenths of a second, in which a GPU would idle between two runs. So a
spare supervisor can be kept that has imported everything and waits on a socket for its order; the locks
travel through that socket too. A spare that died is noticed and replaced by a fresh process.
"""

import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from runyard.executors.protocol import Exit, Handle

SUPERVISOR = (sys.executable, "-P", "-m", "runyard.supervisor")  # -P: a project's own files must not stand in for ours

_HAND_OVER_S = 5.0  # a spare that does not take its order within that is replaced
_LENGTH = struct.Struct(">I")  # in front of an order on the socket


@dataclass(frozen=True)
class _Spare:
    process: subprocess.Popen[bytes]
    connection: socket.socket


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
        self._spare: _Spare | None = None

    def start(self, order: bytes, *, fds: Sequence[int] = ()) -> Handle:
        """Start a supervisor with this order: the spare one, or a fresh one."""
        process = self._hand_to_spare(order, fds) or self._start_fresh(order, fds)
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

    def prepare(self) -> None:
        """Keep a spare supervisor; does nothing if one waits already."""
        if self._spare is not None and self._spare.process.poll() is None:
            return
        self._drop_spare()
        ours, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            try:
                process = self._spawn(["--standby", "--fd", str(number)], stdin=subprocess.DEVNULL, fds=[number])
            except OSError:
                ours.close()
                raise
        ours.settimeout(_HAND_OVER_S)
        self._spare = _Spare(process, ours)

    def close(self) -> None:
        """End the spare; leave the others alone."""
        self._drop_spare()
        for handle_id, process in self._processes.items():
            process.returncode = 0  # they outlive us on purpose, and Popen would warn about that
            self._close_wait_fd(handle_id)
        self._processes.clear()

    def _hand_to_spare(self, order: bytes, fds: Sequence[int]) -> subprocess.Popen[bytes] | None:
        spare = self._spare
        if spare is None:
            return None
        if spare.process.poll() is None:
            try:
                _send(spare.connection, order, fds)
            except OSError:
                pass  # it died, or is stuck; it never got the whole order, and is ended below
            else:
                spare.connection.close()
                self._spare = None
                return spare.process
        self._drop_spare()
        return None

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

    def _drop_spare(self) -> None:
        spare, self._spare = self._spare, None
        if spare is not None:
            spare.connection.close()  # it leaves by itself, but nobody should have to wait for that
            spare.process.kill()
            spare.process.wait()

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


def _send(connection: socket.socket, order: bytes, fds: Sequence[int]) -> None:
    """One order as runyard.supervisor.order reads it: its length, then JSON; descriptors come with the first byte."""
    message = _LENGTH.pack(len(order)) + order
    sent = socket.send_fds(connection, [message], list(fds)) if fds else 0
    if sent < len(message):  # sending nothing fails where the reader has all it needs and has closed its end
        connection.sendall(message[sent:])


def _pidfd(pid: int) -> int | None:
    if not hasattr(os, "pidfd_open"):  # macOS: the caller looks now and then instead
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:  # an old kernel, or no descriptor left
        return None
