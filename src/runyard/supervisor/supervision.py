"""The life of one attempt from its start to its last delivered byte: one loop, and one thread for errands.

The loop waits for output, for the end of the process and for signals; in between it does what the
timetable says, one action at a time, so that a child that prints is never kept waiting for long. Whatever
asks a database or a server is an errand: it may hang, and the loop must not.
Everything slow to import is imported here and below, when the child is already on its way.
"""

import os
import selectors
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runyard.errors import LeaseLost, RunyardError
from runyard.hosts import user_name
from runyard.journal import Attempt, Home, JournalWriter
from runyard.journal.events import (
    ChildBegan,
    Ended,
    Event,
    Warned,
)
from runyard.records import RunSpec, RunState
from runyard.supervisor.checkpoints import CheckpointRounds
from runyard.supervisor.datawatch import DataWatch
from runyard.supervisor.delivery import Connect, Delivery
from runyard.supervisor.describing import Description
from runyard.supervisor.endings import Cause, CauseKind, Facts, tell_end
from runyard.supervisor.errands import Errands
from runyard.supervisor.followed import Followed
from runyard.supervisor.oom import have_risen, oom_kills
from runyard.supervisor.order import LaunchOrder
from runyard.supervisor.output import FLUSH_S
from runyard.supervisor.pipe import OutputPipe
from runyard.supervisor.requests import StopRequests
from runyard.supervisor.sampling import SAMPLE_S, Sampler, gpu_uuids
from runyard.supervisor.signals import Signals
from runyard.supervisor.subject import Child, Exit, Subject
from runyard.supervisor.timetable import Timetable

if TYPE_CHECKING:
    from runyard.supervisor.children import Children

DELIVER_S = 0.7
DATA_S = 5.0  # at the end of a run, for looking at its data
DESCRIBE_S = 1.0  # after the start: before that, the cores are the child's, which has much to import
LOOK_S = 0.5  # for stop requests, and for what the training process wrote
HEARTBEAT_S = 15.0  # a quarter of a lease
WAIT_S = 5.0  # the longest wait of the loop
WAIT_WITHOUT_PIDFD_S = 0.1
LEFTOVER_GRACE_S = 2.0  # for what is still there when the training process has ended
UNKILLABLE_S = 10.0  # a process that outlives SIGKILL so long hangs in the kernel
FINAL_DELIVERY_S = 30.0
LAST_CHECKPOINTS_S = 120.0  # 2 GB take 20 s in a usual network
HURRIED_S = 0.5  # what a supervisor that shall leave still waits for each errand
NICE = 10  # of a supervisor whose run has ended: the cores are for the next one, which is about to start
ROOM_WAIT_S = 600.0  # the end of a run is worth waiting ten minutes for somebody to tidy a full disk up


@dataclass(frozen=True, kw_only=True)
class Commission:
    """What a supervision works with.

    Attributes:
        began: monotonic seconds.
        output_fd: the end of the child's pipe to read from, if there is one.
        cpu_s: processor time of processes, by pid, before the run began.
    """

    order: LaunchOrder
    spec: RunSpec
    attempt: Attempt
    journal: JournalWriter
    subject: Subject
    signals: Signals
    connect: Connect
    environment: dict[str, str]
    oom_before: tuple[int, ...]
    began: float
    output_fd: int | None = None
    cpu_s: dict[int, float] = field(default_factory=dict)


class Supervision:
    """One attempt under supervision; `run` lives through it."""

    def __init__(self, commission: Commission) -> None:
        self._given = commission
        self._spec = commission.spec
        self._journal = commission.journal
        self._subject = commission.subject
        self._is_foreground = commission.order.foreground
        self._is_of_server = (
            commission.order.worker_id is not None and Home(Path(commission.order.home)).server_url is not None
        )
        self._errands = Errands()
        self._delivery = Delivery(commission.attempt, connect=commission.connect, warn=self._warn_from_errand)
        self._followed = Followed(
            commission.attempt, journal=commission.journal, delivery=self._delivery, on_child=self._on_child
        )
        self._files = self._followed.files
        self._children: Children | None = None  # most runs have none
        self._checkpoints = CheckpointRounds(
            lambda: self._delivery.client,
            run_id=self._spec.id,
            attempt=commission.attempt.number,
            warn=self._warn_from_errand,
        )
        self._requests = StopRequests(commission.attempt.run.edits, attempt=commission.attempt.number)
        home = Home(commission.attempt.run.path.parent.parent)
        self._description = Description(
            commission.order,
            commission.spec,
            variables=commission.environment,
            data=DataWatch(commission.spec, home, used=commission.order.data),
            journal=commission.journal,
            delivery=self._delivery,
        )
        self._output: OutputPipe | None = None
        self._cause: Cause | None = None
        self._is_released = False
        self._is_over = False  # the training has ended; what comes now cannot change how
        self._is_hurried = False  # somebody wants the supervisor itself to leave
        self._told: set[str] = set()  # troubles of the supervisor itself
        self._timetable = Timetable()
        self._selector = selectors.DefaultSelector()

    def run(self) -> Ended:
        """Watch until the process and all that belongs to it has ended; write down and deliver how."""
        self._open()
        try:
            while self._exit() is None and not self._has_watched_closed():
                self._turn()
            self._is_over = True
            ended = self._end(self._exit() or Exit(), time_ns=time.time_ns())
            may_go_on = RunState(ended.state).is_resumable
            if may_go_on and self._is_of_server:
                self._bring_last_checkpoints()
            elif not self._is_released:
                self._awaited("end", self._delivery.tell_end)
                self._release_slots()
                if ended.state != RunState.COMPLETED and self._is_of_server:
                    self._bring_last_checkpoints()
            self._deliver_rest()
            self._watch_children_to_their_ends()
            return ended
        finally:
            if self._children is not None:
                self._children.close()
            self._selector.close()
            self._subject.close()
            self._survived(self._errands.hear)
            if self._errands.are_done:  # else the client is in use, until the process ends
                self._delivery.close()
            self._errands.close()

    # ---- the loop ----

    def _open(self) -> None:
        now = time.monotonic()
        order, spec, timetable = self._given.order, self._spec, self._timetable
        self._selector.register(self._given.signals, selectors.EVENT_READ, self._on_signals)
        self._selector.register(self._errands, selectors.EVENT_READ, self._errands.hear)
        if self._subject.exit_fd is not None:
            self._selector.register(self._subject.exit_fd, selectors.EVENT_READ, _nothing)
        if self._given.output_fd is not None:
            self._output = OutputPipe(
                self._given.output_fd, self._selector, self._journal, is_shown=self._is_foreground
            )
            timetable.every(FLUSH_S, self._output.flush, first=now + FLUSH_S)
        self._sampler = Sampler(
            self._journal,
            members=self._subject.members,
            disk=self._given.attempt.path,
            gpus=gpu_uuids(order.devices),
            since=spec.created_at.timestamp(),
            cpu_s=self._given.cpu_s,
        )
        timetable.every(LOOK_S, self._look, first=now)
        timetable.once(now + DELIVER_S, self._deliver)
        timetable.once(now + DESCRIBE_S, self._description.begin)
        timetable.every(SAMPLE_S, self._sample, first=now + 1.0)
        if order.worker_id is not None:
            timetable.every(HEARTBEAT_S, self._heartbeat, first=now + HEARTBEAT_S)
            if self._is_of_server:
                every_s = _checkpoints_every_s()
                timetable.every(every_s, self._bring_checkpoints, first=now + every_s)
        if spec.resources.time_limit_s is not None:
            timetable.once(self._given.began + spec.resources.time_limit_s, self._on_time_limit)

    def _turn(self, at_most_s: float = WAIT_S) -> None:
        if self._subject.exit_fd is None:
            at_most_s = min(at_most_s, WAIT_WITHOUT_PIDFD_S)
        for key, _ in self._selector.select(self._timetable.wait_s(time.monotonic(), at_most=at_most_s)):
            self._survived(key.data)
        self._survived(lambda: self._timetable.run_next(time.monotonic()))

    def _survived(self, action: Callable[[], object]) -> None:
        """Do something that a training must not die of, whatever goes wrong in it."""
        try:
            action()
        except Exception as error:  # a sample, a piece of output, a look: losing one is told, and nothing more
            kind = f"{type(error).__name__}: {error}"
            if kind not in self._told:
                self._told.add(kind)
                self._warn(f"Something went wrong in the supervisor; the run goes on. {kind}")

    def _exit(self) -> Exit | None:
        return self._subject.poll()

    def _has_watched_closed(self) -> bool:
        """A process that is only watched may go on after its run: a notebook finishes many."""
        return self._followed.has_closed and not isinstance(self._subject, Child)

    # ---- what is done regularly ----

    def _look(self) -> None:
        request = self._requests.look()
        if request is not None:
            self._stop(Cause(kind=CauseKind.REQUEST, by=request.by, why=request.why))
        self._followed.look()
        self._files.move()
        self._description.tell_data()
        self._look_at_children()

    def _sample(self) -> None:
        values = self._sampler.sample()
        if self._children is not None:
            self._children.sample(values)

    def _deliver(self) -> None:
        self._errands.begin("deliver", self._delivery.deliver_some, self._rest)

    def _rest(self, _have_arrived: bool) -> None:
        now = time.monotonic()
        self._timetable.once(max(now + DELIVER_S, self._delivery.rest_until), self._deliver)

    def _bring_checkpoints(self) -> None:
        """A state is brought in many steps; whatever else is due comes between two of them."""
        self._errands.begin("checkpoints", self._checkpoints.step, self._on_checkpoints)

    def _on_checkpoints(self, is_more: bool) -> None:
        if is_more:
            self._timetable.once(time.monotonic(), self._bring_checkpoints)

    def _bring_last_checkpoints(self) -> None:
        """Before anybody else may go on with the run; the slots are free meanwhile, and the lease is kept."""
        if not self._is_released:
            self._release_slots()
        if self._cause is not None and self._cause.kind is CauseKind.LEASE_LOST:
            return
        began = beaten = time.monotonic()
        self._awaited("rest", self._deliver_at_once)  # the server must know of the attempt
        while self._awaited("last checkpoints", self._checkpoints.step) and not self._is_hurried:
            now = time.monotonic()
            if now > began + LAST_CHECKPOINTS_S:
                return
            if now > beaten + HEARTBEAT_S:
                self._survived(self._heartbeat)
                beaten = now
            self._pause(0)

    def _heartbeat(self) -> None:
        worker_id = self._given.order.worker_id
        assert worker_id is not None  # only then it is in the timetable
        self._errands.begin("heartbeat", lambda: self._delivery.heartbeat(worker_id), self._on_heartbeat)

    def _on_heartbeat(self, lost: LeaseLost | None) -> None:
        if lost is not None:
            self._stop(Cause(kind=CauseKind.LEASE_LOST, why=str(lost)))

    # ---- ending it ----

    def _on_signals(self) -> None:
        for number in self._given.signals.take():
            if self._is_over:
                self._is_hurried = True
            elif number == signal.SIGINT and self._is_foreground:
                self._on_interrupt()
            else:
                name = signal.Signals(number).name
                why = f"its supervisor was told to leave by {name}, as happens when a machine shuts down"
                self._stop(Cause(kind=CauseKind.SIGNAL, why=why))

    def _on_interrupt(self) -> None:
        if self._cause is not None:
            self._subject.kill()
            return
        print("\nStopping the run. Press Ctrl-C again to end it at once.", file=sys.stderr, flush=True)
        self._stop(Cause(kind=CauseKind.REQUEST, by=user_name(), why="Ctrl-C"))

    def _on_time_limit(self) -> None:
        self._stop(Cause(kind=CauseKind.TIME_LIMIT))

    def _stop(self, cause: Cause) -> None:
        """Ask the training to leave; the first cause is the one that counts."""
        if self._cause is not None or self._is_over:
            return
        self._cause = cause
        self._subject.ask_to_stop(self._followed.rank_pids)
        self._timetable.once(time.monotonic() + self._spec.grace_s, self._subject.kill)

    def _end(self, found: Exit, *, time_ns: int) -> Ended:
        if self._subject.exit_fd is not None:
            self._selector.unregister(self._subject.exit_fd)
        if isinstance(self._subject, Child):
            self._clear_tree(self._subject)
        if found.exit_code == 0:  # a failure is told first, since it may hold the rest of its grid
            self._release_slots()
        if self._output is not None:
            self._survived(self._output.finish)
        for action in (self._look, self._followed.read_all, self._files.move, self._description.begin):
            self._survived(action)
        self._description.wait_for_data(DATA_S)
        self._survived(self._description.tell_data)
        ended = tell_end(self._facts(found), time_ns=time_ns)
        self._tell(ended)
        self._survived(lambda: self._end_children(found))
        return ended

    def _release_slots(self) -> None:
        """Nothing of the run is left, so the next one may have its devices while this one is still delivered."""
        self._is_released = True
        if not self._is_foreground:  # there, the locks belong to our caller
            for fd in self._given.order.lock_fds:
                os.close(fd)
        if self._given.order.worker_id is not None:
            os.nice(NICE)

    def _clear_tree(self, child: Child) -> None:
        """What the training process left behind ends with it: SIGTERM, a moment, SIGKILL."""
        if not child.members():
            return
        child.ask_members_to_stop()
        kill_at = time.monotonic() + min(LEFTOVER_GRACE_S, self._spec.grace_s)
        give_up_at = kill_at + UNKILLABLE_S
        while child.members():
            now = time.monotonic()
            if now >= give_up_at:
                self._warn(f"Processes of the run hang in the kernel and cannot be ended: {child.members()}")
                return
            if now >= kill_at:
                child.kill()
            self._turn(0.02)

    def _facts(self, found: Exit) -> Facts:
        return Facts(
            exit_code=found.exit_code,
            signal=found.signal,
            closing=self._followed.closing,
            cause=self._cause,
            time_limit_s=self._spec.resources.time_limit_s,
            oom_killed=have_risen(self._given.oom_before, oom_kills()),
            is_watched=not isinstance(self._subject, Child),
        )

    def _deliver_rest(self) -> None:
        """Everything that is still to be brought home, tried for a while; then the next command will find it."""
        self._survived(self._files.add_forgotten)
        self._survived(lambda: self._files.move(largest_bytes=None))
        self._wait_for_room()
        self._survived(lambda: os.fsync(self._journal.fd))
        deadline = time.monotonic() + FINAL_DELIVERY_S
        is_told = False
        while not is_told and not self._is_hurried and time.monotonic() < deadline:
            if self._awaited("rest", self._deliver_at_once) and self._files.move(largest_bytes=None):
                is_told = self._awaited("end", self._delivery.tell_end)
            if not is_told:
                self._pause(0.05)
        self._files.finish()
        self._awaited("rest", self._deliver_at_once)
        self._deliver_children(deadline)

    def _deliver_at_once(self) -> bool:
        return self._delivery.deliver_some(at_once=True)

    def _awaited(self, name: str, action: Callable[[], bool]) -> bool:
        """Do an errand while the loop listens; whether it succeeded. Whoever is hurried waits for a moment only."""
        found: list[bool] = []
        self._errands.begin(name, action, found.append)
        deadline = time.monotonic() + HURRIED_S
        while not found and not (self._is_hurried and time.monotonic() >= deadline):
            self._pause(HURRIED_S)
        return any(found)

    def _wait_for_room(self) -> None:
        deadline = time.monotonic() + ROOM_WAIT_S
        while not self._journal.flush() and not self._is_hurried and time.monotonic() < deadline:
            self._pause(0.25)

    def _pause(self, wait_s: float) -> None:
        for key, _ in self._selector.select(wait_s):
            self._survived(key.data)

    # ---- runs below this one ----

    def _on_child(self, event: ChildBegan) -> None:
        if self._children is None:
            from runyard.supervisor.children import Children  # late: few runs have any

            self._children = Children(
                self._given.attempt.run,
                pid=self._subject.pid,
                connect=lambda: self._delivery.client,
                warn=self._warn_from_errand,
            )
            self._timetable.once(time.monotonic() + DELIVER_S, self._deliver_for_children)
            self._survived(self._description.begin)  # it has imported what it needs, and they get the same description
        self._children.begin(event)
        self._children.describe(self._description.environment, self._description.code)

    def _look_at_children(self) -> None:
        children = self._children
        if children is None:
            return
        for pid, cause in children.look(self._timetable, self._cause):
            if pid != self._subject.pid:
                children.ask_to_stop(pid)
            elif self._is_over:
                self._subject.ask_to_stop(())
            else:
                self._stop(cause)  # it is the very process of this run
        children.settle()

    def _deliver_for_children(self) -> None:
        assert self._children is not None  # it put this into the timetable
        self._errands.begin("deliver children", self._children.deliver, self._rest_of_children)

    def _rest_of_children(self, _have_arrived: bool) -> None:
        self._timetable.once(time.monotonic() + DELIVER_S, self._deliver_for_children)

    def _end_children(self, found: Exit) -> None:
        """Nothing of the run's processes is left; a process that is only watched may go on."""
        children = self._children
        if children is None or self._exit() is None:
            return
        oom_killed = have_risen(self._given.oom_before, oom_kills())
        children.end_all(found, cause=self._cause, oom_killed=oom_killed)

    def _watch_children_to_their_ends(self) -> None:
        """The run was finished before runs below it, and its process goes on with them."""
        children = self._children
        if children is None or not children.are_open:
            return
        self._timetable = Timetable()
        now = time.monotonic()
        self._timetable.every(LOOK_S, self._look_at_children, first=now)
        self._timetable.once(now + DELIVER_S, self._deliver_for_children)
        while children.are_open and self._exit() is None and not self._is_hurried:
            self._turn()
        self._survived(lambda: self._end_children(self._exit() or Exit()))
        self._deliver_children(time.monotonic() + FINAL_DELIVERY_S)

    def _deliver_children(self, deadline: float) -> None:
        children = self._children
        if children is None:
            return
        self._survived(children.settle)
        while not children.are_home and not self._is_hurried:
            is_brought = self._awaited("rest of children", lambda: children.deliver(at_once=True))
            self._survived(children.settle)
            if (is_brought and children.are_open) or time.monotonic() > deadline:
                return
            if not is_brought:
                self._pause(0.05)

    # ---- words ----

    def _tell(self, event: Event) -> None:
        self._journal.event(event)

    def _warn(self, text: str) -> None:
        self._tell(Warned(time_ns=time.time_ns(), text=text))

    def _warn_from_errand(self, text: str) -> None:
        self._errands.say(lambda: self._warn(text))


def _checkpoints_every_s() -> float:
    from runyard.client.machine import Machine, read_machine  # late: only for runs of a server

    try:
        return read_machine().checkpoints_every_s
    except RunyardError:  # the worker tells; a slip in a file must not cost a run its checkpoints
        return Machine(file=Path()).checkpoints_every_s


def _nothing() -> None:
    """The end of the process wakes the loop, and that is all."""
