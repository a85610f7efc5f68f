"""Runs below a run, begun by its own processes: its supervisor watches them, too.

A supervisor for each would cost a second of processor time, more than a trial of a study often takes. What every run
is promised holds for these as well: a lock on host.journal while somebody watches, an end that is told truthfully by
their own words or by the end of their process, stop requests, measurements of the host, files in the store.
"""

import os
import time
from collections.abc import Callable, Mapping

import msgspec

from runyard.errors import ConflictError, NotFound
from runyard.journal import MAIN, JournalWriter, RunFolder
from runyard.journal.events import ChildBegan, CodeSeen, Environment, Failed, Finished
from runyard.records import RunSpec, decode_spec, is_run_id
from runyard.supervisor.attempt import first_words, open_journal
from runyard.supervisor.delivery import Connect, Delivery
from runyard.supervisor.endings import Cause, CauseKind, Facts, tell_end
from runyard.supervisor.followed import Followed
from runyard.supervisor.order import LaunchOrder
from runyard.supervisor.requests import StopRequests
from runyard.supervisor.sampling import HostRows
from runyard.supervisor.subject import Exit, Watched, find_watched
from runyard.supervisor.timetable import Timetable

_ATTEMPT = 1  # they are never queued, so there is no other one


class Children:
    """All of one run. Every method is for the thread of the loop but `deliver`, which is an errand."""

    def __init__(self, parent: RunFolder, *, pid: int, connect: Connect, warn: Callable[[str], None]) -> None:
        """Nobody is watched yet.

        Args:
            parent: the run that they are below.
            pid: its process; only `end_all` ends those that are in it, since its end is known better elsewhere.
            connect: gives the client that the supervisor has already.
            warn: may be called by any thread.
        """
        self._parent = parent
        self._pid = pid
        self._connect = connect
        self._warn = warn
        self._warned: set[str] = set()
        self._open: list[_Child] = []
        self._over: list[_Child] = []  # ended, and not all of it has been delivered
        self._processes: dict[int, Watched] = {}

    @property
    def are_open(self) -> bool:
        """Whether one of them goes on."""
        return bool(self._open)

    @property
    def are_home(self) -> bool:
        """Whether nothing of any is left to be delivered."""
        return not self._open and not self._over

    def begin(self, event: ChildBegan) -> None:
        """Watch one more. What is none (a journal may come from anybody) or is watched already is passed over."""
        if not is_run_id(event.run):
            return
        folder = RunFolder(self._parent.path.parent / event.run)
        try:
            spec = decode_spec(folder.spec.read_bytes())
            if spec.kind != "external" or spec.parent is None:
                return
            journal = open_journal(folder.attempt(_ATTEMPT))
        except (OSError, msgspec.MsgspecError, ConflictError, NotFound):
            return
        try:
            process = self._process(event.pid, folder)
            child = _Child(
                folder, spec, journal, process, connect=self._connect, began=self.begin, warn=self._warn_once
            )
            self._open.append(child)
        except BaseException:
            journal.close()
            raise

    def look(self, timetable: Timetable, cause: Cause | None) -> list[tuple[int, Cause]]:
        """Take in what they wrote and tell the end of those that are over; return whom to stop and why, by process.

        Args:
            timetable: where the end of somebody's patience goes.
            cause: why the supervisor stops the run itself, if it does.
        """
        asked = []
        for child in list(self._open):  # one of them may have begun others
            request = child.requests.look()
            if request is not None and child.cause is None:
                child.cause = Cause(kind=CauseKind.REQUEST, by=request.by, why=request.why)
                asked.append((child.process.pid, child.cause))
                timetable.once(time.monotonic() + child.spec.grace_s, child.kill_if_open)
            child.followed.look()
            child.followed.files.move()
            gone = child.process.poll() if child.process.pid != self._pid else None
            child.cause = child.cause or cause
            if child.followed.has_closed or gone is not None:
                self._end(child, gone or Exit())
        return asked

    def ask_to_stop(self, pid: int) -> None:
        """SIGTERM to one of their processes."""
        self._processes[pid].ask_to_stop(())

    def sample(self, values: Mapping[str, float]) -> None:
        """Write down what was measured, for those that go on: they are in the process that it was measured of."""
        for child in self._open:
            child.rows.write(values)

    def describe(self, environment: Environment | None, code: CodeSeen | None) -> None:
        """Tell what they run in, which is what their parent runs in."""
        for child in self._open:
            child.describe(environment, code)

    def end_all(self, found: Exit, *, cause: Cause | None, oom_killed: bool) -> None:
        """The run's process, or the supervisor's patience, has come to its end.

        Args:
            found: how that process ended; of others that is not known.
            cause: why the supervisor ended it, if it did.
        """
        while self._open:  # reading one to its end may bring another one
            child = self._open[0]
            child.cause = child.cause or cause
            self._end(child, found if child.process.pid == self._pid else Exit(), oom_killed=oom_killed)

    def deliver(self, *, at_once: bool = False) -> bool:
        """Bring home what is new of each, and let the queue know of those that ended; whether all was brought."""
        for child in [*self._over, *self._open]:
            child.deliver(at_once=at_once)
            if child.has_trouble:  # the next would wait for the same server
                return False
        return all(child.is_home for child in self._over)

    def settle(self) -> None:
        """Forget those of which nothing is left to do; store what could not be stored before."""
        for child in list(self._over):
            child.store_rest()
            if child.is_home:
                self._over.remove(child)
                child.close()
        self._over.sort(key=lambda child: child.has_trouble)  # another one comes first the next time

    def close(self) -> None:
        """Nobody is watched any more."""
        for child in [*self._open, *self._over]:
            child.close()
        for process in self._processes.values():
            process.close()

    def _process(self, pid: int, folder: RunFolder) -> Watched:
        known = self._processes.get(pid)
        if known is None or known.poll() is not None:
            if known is not None:
                known.close()
            known = find_watched(pid, started=None, journal=folder.attempt(_ATTEMPT).journal(MAIN))
            self._processes[pid] = known
        return known

    def _warn_once(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            self._warn(text)

    def _end(self, child: "_Child", found: Exit, *, oom_killed: bool = False) -> None:
        self._open.remove(child)
        self._over.append(child)
        child.end(found, oom_killed=oom_killed)


class _Child:
    """One of them."""

    def __init__(
        self,
        folder: RunFolder,
        spec: RunSpec,
        journal: JournalWriter,
        process: Watched,
        *,
        connect: Connect,
        began: Callable[[ChildBegan], object],
        warn: Callable[[str], None],
    ) -> None:
        attempt = folder.attempt(_ATTEMPT)
        order = LaunchOrder(run_id=spec.id, home=str(folder.path.parent.parent), attempt=_ATTEMPT)
        self.spec = spec
        self.process = process
        self.cause: Cause | None = None
        self.requests = StopRequests(folder.edits, attempt=_ATTEMPT)
        self.rows = HostRows(journal, since=spec.created_at.timestamp())
        self.is_stored = False  # all of its files
        self.is_home = False
        self._journal = journal
        self._delivery = Delivery(attempt, connect=connect, warn=warn)
        self.followed = Followed(attempt, journal=journal, delivery=self._delivery, on_child=began)
        self.followed.look()
        words = first_words(order, spec, attempt)  # a short one may be over by now, and has its own times
        journal.event(msgspec.structs.replace(words, time_ns=self.followed.created_ns or words.time_ns))
        self._is_described = False
        self._is_over = False

    def describe(self, environment: Environment | None, code: CodeSeen | None) -> None:
        if self._is_described or environment is None:
            return
        self._is_described = True
        self._journal.event(environment)
        if code is not None and self.spec.code.commit is None:
            self._journal.event(code)

    def kill_if_open(self) -> None:
        if not self._is_over:
            self.process.kill()

    def end(self, found: Exit, *, oom_killed: bool) -> None:
        """Its last words, or those that are missing."""
        self._is_over = True
        self.followed.read_all()
        closing = self.followed.closing
        has_told = isinstance(closing, Finished | Failed)  # it was over before anybody could stop it
        facts = Facts(
            exit_code=found.exit_code,
            signal=found.signal,
            closing=closing,
            cause=None if has_told else self.cause,
            time_limit_s=self.spec.resources.time_limit_s,
            oom_killed=oom_killed,
            is_watched=found == Exit(),
        )
        files = self.followed.files
        files.add_forgotten()
        self.is_stored = files.move(largest_bytes=None)
        at_ns = closing.time_ns if closing is not None else time.time_ns()
        self._journal.event(tell_end(facts, time_ns=at_ns))
        if self._journal.flush():
            os.fsync(self._journal.fd)

    @property
    def has_trouble(self) -> bool:
        return self._delivery.has_trouble

    def store_rest(self) -> None:
        """What the disk or the store did not take before."""
        self.is_stored = self.is_stored or self.followed.files.move(largest_bytes=None)
        self._journal.flush()

    def deliver(self, *, at_once: bool) -> None:
        has_all = self._is_over and self.is_stored and not self._journal.is_blocked
        arrived = self._delivery.deliver_some(at_once=at_once or has_all)
        if has_all and arrived:
            self.is_home = self._delivery.tell_end()

    def close(self) -> None:
        self.followed.files.finish()
        self._journal.close()
