"""A training process that was started before its run: imports done, it waits for the slot of the run before.

It has the environment of its slot from its first moment, since a program may ask for a GPU while it is
imported, but not the slot's lock: that comes with the run. Whatever is not as a cold start would have it
(other code, an import that raised, leaves or does not end) makes it useless, and the cold start tells why.
"""

import os
import select
import signal
import socket
import time
from pathlib import Path

import msgspec

from runyard import handover
from runyard.records import RunSpec
from runyard.supervisor.launch import output_pipe, run_variables, spawn, waiting_environment
from runyard.supervisor.order import LaunchOrder, WarmUp
from runyard.supervisor.signals import Signals

IMPORT_S = 30.0  # imports that take longer hang, or are not worth another wait: then the run starts cold
UNKILLABLE_S = 2.0  # a process that outlives SIGKILL so long hangs in the kernel
USES_GPU = 10  # exit code of a supervisor whose process took to a GPU while it was imported: that is another run's

_WAIT_OPTION = "--wait"


class Waiting:
    """A training process that imports, or has imported and waits.

    Attributes:
        pid: its number; it leads a session of its own.
        output_fd: the end to read from of the pipe that it prints into; what imports print is the run's output.
    """

    def __init__(self, warm_up: WarmUp, *, import_s: float = IMPORT_S) -> None:
        """Start it; a run that comes later than `import_s` after that does not wait for imports that are not done.

        Raises:
            OSError: no process could be started.
        """
        self.warm_up = warm_up
        self._import_until = time.monotonic() + import_s
        self._is_ready = False
        self._connection, theirs = socket.socketpair()
        self.output_fd, writer = output_pipe()
        try:
            with theirs:
                self.pid = spawn(
                    waiting_environment(warm_up.env),
                    output_fd=writer,
                    inherited_fds=[theirs.fileno()],
                    options=[_WAIT_OPTION, str(theirs.fileno()), warm_up.project_dir, warm_up.entry],
                )
        except OSError:
            self._connection.close()
            os.close(self.output_fd)
            raise
        finally:
            os.close(writer)

    def fileno(self) -> int:
        """Readable when its imports are done, and when it has ended."""
        return self._connection.fileno()

    def begin(self, order: LaunchOrder, spec: RunSpec, *, run_dir: Path, signals: Signals) -> bool:
        """Make it the process of a run; False if it is of no use, and then nothing is left of it."""
        if self.warm_up.fits(order, spec) and self._wait_until_ready(signals):
            variables = msgspec.json.encode(run_variables(order, run_dir))
            try:
                handover.send(self._connection, variables, fds=order.lock_fds)
            except OSError:
                pass  # it has just ended
            else:
                self._connection.close()
                return True
        self.end()
        return False

    def end(self) -> None:
        """End it, and whatever its imports have started."""
        from runyard.supervisor.tree import Tree, has_children  # late: psutil is slow to import

        self._connection.close()
        os.close(self.output_fd)
        tree = Tree(self.pid)
        tree.kill_group()
        os.waitpid(self.pid, 0)
        give_up_at = time.monotonic() + UNKILLABLE_S
        while has_children() and time.monotonic() < give_up_at:  # orphans are ours, see launch.adopt_orphans
            tree.send(signal.SIGKILL, tree.members())

    def is_ready(self) -> bool:
        """Whether its imports are done, and it has not ended."""
        if not self._is_ready:
            try:
                self._is_ready = bool(self._connection.recv(1, socket.MSG_DONTWAIT))
            except BlockingIOError:
                pass
        return self._is_ready

    def uses(self, gpu: str) -> bool:
        """Whether it has a context on the GPU of that UUID, as far as the driver tells."""
        from runyard.devices.nvml import gpu_processes  # late, as above: only for slots with a GPU
        from runyard.supervisor.tree import Tree

        members = Tree(self.pid).members()
        return any(process.pid in members for process in gpu_processes(gpu))

    def _wait_until_ready(self, signals: Signals) -> bool:
        """Whether its imports are done, or will be in time; whoever wants us to leave need not wait for that."""
        if not self._is_ready:
            news = select.poll()
            news.register(self, select.POLLIN)
            news.register(signals, select.POLLIN)
            news.poll(max(0.0, self._import_until - time.monotonic()) * 1000)
        return self.is_ready()
