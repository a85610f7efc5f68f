"""The worker's loop: hold a slot, claim a run for it, hand both to a supervisor, wait for its end.

A worker owns nothing that would be lost with it: locks travel to the supervisors, leases are kept alive by
them, and the journals say how each run ended. `kill -9` of a worker leaves its runs running; the next
worker finds their slots taken.
"""

import os
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import psutil

from runyard.client.machine_report import report
from runyard.client.reservations import Reservation
from runyard.devices import Slot, busy_reason
from runyard.errors import FormatUnknown, RunFinished, ServerAway, ServiceError
from runyard.executors import Executor, Exit, LocalExecutor
from runyard.hosts import host_name, user_name
from runyard.journal import HOST, MAIN
from runyard.queue import HEARTBEAT_S, WorkerRow
from runyard.queue.reports import MachineReport
from runyard.records import RunId, RunState, WorkerId
from runyard.supervisor.waiting import USES_GPU
from runyard.worker.alarm import Alarm, on_stop_signals
from runyard.worker.forecast import Forecast
from runyard.worker.protocol import WorkerClient
from runyard.worker.running import Running
from runyard.worker.slots import MachineSlots
from runyard.worker.snapshot import Observer, Snapshot
from runyard.worker.starter import Starter, supervisor_log

POLL_S = 1.0  # between two looks at queue and slots when nothing happens
REAP_S = 5.0  # between two looks for runs whose supervisor was killed
TELL_AGAIN_S = 600.0  # before the same trouble is told again: a disk that is full all night fills no log
RECONSIDER_S = 600.0  # before a run whose data were not here is looked at again: a share may have been mounted
REST_S = 0.5  # at least, between the start of a run and the preparation of the next: first the cores are the run's

T = TypeVar("T")

_ANY_RUN = {"": b""}  # a spare supervisor without a project


class Worker:
    """Works the queue of one home on the slots of this machine.

    Args:
        slots: where it may start runs; those with a problem are left out.
        is_warm: import the code of the next run while a run is under way, which takes memory for both.
        clock: Unix seconds.
        say: told, in whole sentences, what a person should know.

    Raises:
        DeviceUnavailable: there is no slot, or no folder for the locks of slots.
        UsageError: the folder for locks protects nothing.
    """

    def __init__(
        self,
        client: WorkerClient,
        executor: Executor,
        slots: Sequence[Slot],
        *,
        is_warm: bool = True,
        worker_id: WorkerId | None = None,
        clock: Callable[[], float] = time.time,
        poll_s: float = POLL_S,
        say: Callable[[str], object] = lambda text: None,
    ) -> None:
        self._slots = MachineSlots(slots)
        self.id = worker_id or new_worker_id()
        self._client = client
        self._executor = executor
        self._clock = clock
        self._poll_s = poll_s
        self._say = say
        self._observer = Observer(client, slots)
        self._forecast = Forecast(client, say=say)
        self._starter = Starter(client, executor, self._slots, clock=clock, say=say)
        self._is_warm = is_warm
        self._running: list[Running] = []
        self._stopping = self._announced = 0
        self._reap_at = self._beat_at = self._prepare_at = self._reconsider_at = float("-inf")
        self._trouble = ""
        self._told: dict[str, float] = {}  # troubles, and when they were told
        self._alarm = Alarm()
        psutil.cpu_percent()  # the first call has nothing to compare with

    # ---- living ----

    def run(self, *, drain: bool = False, on_tick: Callable[[Snapshot], object] | None = None) -> None:
        """Work until asked to stop; with `drain`, until nothing runs and nothing waits that could run here.

        Args:
            on_tick: given a snapshot after every turn, at least once per `poll_s`.

        Raises:
            ServiceError: supervisors cannot be started.
        """
        with on_stop_signals(self.ask_to_stop):
            try:
                self._turn(first=True)
                while not self._is_done(drain=drain):
                    if on_tick is not None:
                        self._try(lambda: on_tick(self.snapshot()))
                    self._wait()
                    self._turn()
                if on_tick is not None:
                    self._try(lambda: on_tick(self.snapshot()))
            finally:
                self.close()

    def step(self) -> None:
        """One turn of the loop, without waiting: collect what ended, fill free slots."""
        now = self._clock()
        self._collect()
        self._announce_stop()
        if now >= self._reap_at:
            self._client.reap(now)
            self._return_lost_claims()
            self._reap_at = now + REAP_S
        if now >= self._beat_at:
            self._client.queue.see_worker(self._row(now))
            self._beat_at = now + HEARTBEAT_S
        if self._stopping == 0:
            self._reconsider(now)
            self._fill(now)
        elif self._stopping > 1:
            self._ask_runs_to_stop()
        if self._clock() >= self._prepare_at:
            self._prepare()

    def ask_to_stop(self) -> None:
        """First time: start nothing more, wait for what runs. Second time: ask the runs to stop, too."""
        self._stopping += 1
        self._alarm.ring()  # the loop says so: a signal handler must not print

    def snapshot(self) -> Snapshot:
        """What happens on each slot, what waits, and when it will be done."""
        reservations = self._reservations(self._clock())
        reserved = {each.slot: each.sentence() for each in reservations}
        return self._observer.look(
            now=self._clock(),
            capacity=self._slots.capacity(),
            running=self._used_slots(),
            reason_for=lambda slot: reserved.get(slot.name) or busy_reason(slot),
            reservations=reservations,
            stopping=min(self._stopping, 2),
        )

    def close(self) -> None:
        """Leave. Supervisors that are there go on."""
        self._executor.close()
        for each in self._running:
            each.forget_slots()
        self._alarm.close()
        self._try(lambda: self._client.queue.forget_worker(self.id))

    # ---- the loop ----

    def _turn(self, *, first: bool = False) -> None:
        """A step that survives trouble: a full disk at night must not end the worker. At the start it may."""
        if first:
            self.step()
        else:
            self._try(self.step)

    def _try(self, action: Callable[[], T]) -> T | None:
        try:
            result = action()
        except ServiceError as error:
            if not isinstance(error, ServerAway):
                raise
            self._tell_trouble(error)
            return None
        except Exception as error:  # the worker's loop: reported, and tried again
            self._tell_trouble(error)
            return None
        self._trouble = ""
        return result

    def _tell_trouble(self, error: Exception) -> None:
        self._trouble = f"{type(error).__name__}: {error}".splitlines()[0]
        self._tell(f"Something failed; the worker goes on and tries again. {self._trouble}")

    def _tell(self, trouble: str) -> None:
        """Say it, unless that was done a short while ago."""
        now = self._clock()
        if now >= self._told.get(trouble, float("-inf")) + TELL_AGAIN_S:
            self._told[trouble] = now
            self._say(trouble)

    def _is_done(self, *, drain: bool) -> bool:
        if self._running:
            return False
        if self._stopping:
            return True
        return drain and not self._trouble and bool(self._try(self._is_drained))

    def _is_drained(self) -> bool:
        """Whether nothing waits that could start here, and nobody else on this machine runs what may come back."""
        queue = self._client.queue
        return queue.startable(self._slots.capacity()) == 0 and not queue.leases_of_host()

    def _wait(self) -> None:
        """Until a slot gets free, a supervisor ends, somebody wakes us, or it is time to look again."""
        rest_s = self._prepare_at - self._clock()
        self._alarm.sleep(min(self._poll_s, rest_s) if rest_s > 0 else self._poll_s, self._running)

    # ---- what ended ----

    def _collect(self) -> None:
        for each in list(self._running):
            exit_ = self._executor.poll(each.handle)
            if exit_ is not None:
                self._running.remove(each)
                each.forget_slots()
                self._settle(each, exit_)
            elif each.slots and each.has_freed_slots():
                each.forget_slots()  # its supervisor only delivers what is left

    def _settle(self, each: Running, exit_: Exit) -> None:
        lease = each.lease
        attempt = self._client.home.run(lease.run_id).attempt(lease.attempt)
        if not attempt.journal(HOST).exists():
            self._starter.not_started(lease, f"its supervisor ended at once ({_how(exit_)})")
        elif not exit_.is_clean:
            self._reap_at = float("-inf")  # it may have left a run behind that nobody watches
        else:
            self._starter.has_worked()

    def _announce_stop(self) -> None:
        if self._stopping == self._announced:
            return
        if self._announced == 0:
            self._say(_first_stop(len(self._running)))
        if self._stopping > 1 and self._running:
            running = _count(len(self._running), "run")
            self._say(f"Asking {running} to stop; there is a grace time to save what is worth saving.")
        self._announced = self._stopping

    def _ask_runs_to_stop(self) -> None:
        for each in self._running:
            if each.was_asked_to_stop or not each.slots:
                continue
            if self._client.index.get(each.lease.run_id).state != RunState.RUNNING:
                continue  # it is only just starting; it will be asked in a moment
            try:
                self._client.request_stop(each.lease.run_id, why="the worker was stopped")
            except RunFinished:
                pass
            each.was_asked_to_stop = True

    def _return_lost_claims(self) -> None:
        """Give back what was granted to us in an answer that never arrived."""
        ours = {each.lease.run_id for each in self._running}
        for lease in self._client.queue.leases_of_worker(self.id):
            attempt = self._client.home.run(lease.run_id).attempt(lease.attempt)
            if lease.run_id not in ours and not attempt.journal(HOST).exists():
                self._client.queue.give_back(lease.run_id, lease.worker_id, lease.attempt)

    # ---- what comes next ----

    def _reconsider(self, now: float) -> None:
        """Let this machine look again at what it refused: all of it at the start, else what was refused long ago."""
        if now >= self._reconsider_at:
            older_than_s = 0.0 if self._reconsider_at == float("-inf") else RECONSIDER_S
            self._client.queue.reconsider(host=host_name(), older_than_s=older_than_s, now=now)
            self._reconsider_at = now + RECONSIDER_S / 2

    def _fill(self, now: float) -> None:
        """Start runs as long as one fits the free slots; give back the locks that no run wanted."""
        if self._client.queue.startable(self._slots.capacity()) == 0:
            return
        reserved = {each.slot for each in self._reservations(now)}
        free = self._slots.take_free(but=reserved | self._used_slots().keys(), now=now)
        try:
            while free:
                capacity = self._slots.capacity([taken.slot for taken in free])
                lease = self._client.queue.claim_next(self.id, capacity, now=self._clock())
                if lease is None:
                    break
                started = self._starter.start(lease, free)
                if started is not None:
                    self._running.append(started)
                    self._prepare_at = self._clock() + REST_S
                    free = [taken for taken in free if taken.slot not in started.slots]
        finally:
            for taken in free:
                taken.lock.release()

    def _prepare(self) -> None:
        """Have the next run on each busy slot ready; what nobody is waiting for is given up."""
        warm_ups: dict[str, bytes] = {}
        if self._running and not self._stopping and self._client.queue.startable(self._slots.capacity()):
            training = [each for each in self._running if self._trains(each)]
            if self._is_warm:
                alone = [each.slots[0] for each in training if len(each.slots) == 1]
                warm_ups = self._forecast.warm_ups(alone, lambda slot: self._slots.capacity([slot]))
            if not warm_ups and len(training) == len(self._running):
                warm_ups = _ANY_RUN
        for place, exit_ in self._executor.prepare(warm_ups).items():
            if exit_.code == USES_GPU:
                self._forecast.refuse(place)

    def _trains(self, each: Running) -> bool:
        """Whether its imports are over: two that import the same at once would take twice as long."""
        return self._client.home.run(each.lease.run_id).attempt(each.lease.attempt).journal(MAIN).exists()

    def _reservations(self, now: float) -> list[Reservation]:
        """Of slots of this machine that somebody has for himself."""
        try:
            return self._client.reservations.active(now=now, host=host_name())
        except FormatUnknown as problem:  # the file is damaged: idle GPUs all night would be worse
            self._tell(f"Nobody can say what is reserved: {problem}")
            return []

    def _used_slots(self) -> dict[str, RunId]:
        """The runs that were started here and still have a slot, by the slot's name."""
        return {slot.name: each.lease.run_id for each in self._running for slot in each.slots}

    def _row(self, now: float) -> WorkerRow:
        return WorkerRow(
            worker_id=self.id,
            host=host_name(),
            user=user_name(),
            pid=os.getpid(),
            home=str(self._client.home.path),
            slots=tuple(slot.name for slot in self._slots.usable),
            seen_at=now,
            report=self._report(),
        )

    def _report(self) -> MachineReport | None:
        try:
            return report(self._slots.all, disk=self._client.home.path)
        except (OSError, psutil.Error):  # a worker without numbers works as well
            return None


def local_worker(client: WorkerClient, slots: Sequence[Slot], **options: Any) -> Worker:  # options: those of Worker
    """A worker that starts its supervisors on this machine and keeps what they print in the home."""
    return Worker(client, LocalExecutor(log=supervisor_log(client.home.path)), slots, **options)


def new_worker_id() -> WorkerId:
    """Host, process, and some chance, since process numbers come back."""
    return WorkerId(f"{host_name()}-{os.getpid()}-{secrets.token_hex(3)}")


def _first_stop(n_running: int) -> str:
    if not n_running:
        return "Stopping."
    return (
        f"Starting nothing more; {_count(n_running, 'run')} still to finish. Ask once more (Ctrl-C) to stop them, too."
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _how(exit_: Exit) -> str:
    return f"exit code {exit_.code}" if exit_.signal is None else f"signal {exit_.signal}"
