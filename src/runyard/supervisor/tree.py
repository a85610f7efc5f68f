"""The processes of a run: all that descends from its child, wherever it hid.

On Linux the supervisor is a *subreaper* (see launch.py): a daemon that detaches from everything still
becomes a child of the supervisor and not of init, so nothing can survive the end of a run unseen.
"""

import os
import signal
import sys

import psutil


def own_children() -> frozenset[int]:
    """Children that this process has now: none of the run's business."""
    return frozenset(child.pid for child in psutil.Process().children())


def has_children() -> bool:
    """Whether anything of a run can be left: its supervisor is the parent of all orphans (see above).

    One call instead of a walk through all processes, while the next run waits for the slot.
    """
    if sys.platform != "linux":
        return True
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


class Tree:
    """The processes of one run.

    Args:
        leader: the child's pid, which is also its session and process group.
        others: children of this process that belong to somebody else.
    """

    def __init__(self, leader: int, *, others: frozenset[int] = frozenset()) -> None:
        self.leader = leader
        self._others = others

    def members(self) -> list[int]:
        """Pids of all living members; dead ones that this process has to bury are buried."""
        parents = {process.pid: process.info["ppid"] for process in psutil.process_iter(["ppid"])}
        ours = self._descendants(parents)
        ours |= {pid for pid in parents if pid not in ours and self._is_in_session(pid)}
        return [pid for pid in sorted(ours) if not self._is_dead(pid, parents.get(pid))]

    def send(self, number: int, pids: list[int]) -> None:
        """Send a signal; those that are gone meanwhile are passed over."""
        for pid in pids:
            try:
                os.kill(pid, number)
            except (ProcessLookupError, PermissionError):
                continue  # gone, or it became another user's (setuid): nothing we could do

    def kill_group(self) -> None:
        """SIGKILL to the process group; only while the leader was not buried, since its number is given out again."""
        try:
            os.killpg(self.leader, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # nobody is left in it

    def _descendants(self, parents: dict[int, int]) -> set[int]:
        children: dict[int, list[int]] = {}
        for pid, parent in parents.items():
            children.setdefault(parent, []).append(pid)
        found: set[int] = set()
        waiting = [pid for pid in children.get(os.getpid(), ()) if pid not in self._others]
        while waiting:
            pid = waiting.pop()
            found.add(pid)
            waiting.extend(children.get(pid, ()))
        return found

    def _is_in_session(self, pid: int) -> bool:
        try:
            return os.getsid(pid) == self.leader
        except OSError:
            return False

    def _is_dead(self, pid: int, parent: int | None) -> bool:
        try:
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                return False
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:
            return False
        if parent == os.getpid() and pid != self.leader:  # the leader's exit code is its Popen's to fetch
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass
        return True
