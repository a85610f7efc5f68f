"""From a lease to a supervisor that has it: everything that can stand in the way of a start, and who is told."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from runyard.devices import Holder, Taken
from runyard.errors import NotFound, ProjectNotFound, RunyardError, ServerAway, ServiceError, UsageError
from runyard.executors import Executor
from runyard.hosts import host_name, user_name
from runyard.project.places import Found, Places, find_data
from runyard.project.project import load_project
from runyard.project.snapshot import materialise
from runyard.queue import Lease
from runyard.records import RunId, RunSpec, RunState
from runyard.supervisor.order import LaunchOrder, encode_order
from runyard.worker.forecast import environment_of
from runyard.worker.protocol import WorkerClient
from runyard.worker.running import Running
from runyard.worker.slots import MachineSlots

_FAILED_STARTS = 3  # so many in a row, and it is not the run that is broken


class Starter:
    """Starts leased runs on slots that the worker holds.

    Args:
        clock: Unix seconds.
        say: told, in whole sentences, what a person should know.
    """

    def __init__(
        self,
        client: WorkerClient,
        executor: Executor,
        slots: MachineSlots,
        *,
        clock: Callable[[], float],
        say: Callable[[str], object],
    ) -> None:
        self._client = client
        self._executor = executor
        self._slots = slots
        self._clock = clock
        self._say = say
        self._failed_starts = 0

    def start(self, lease: Lease, free: Sequence[Taken]) -> Running | None:
        """Start a run on some of the free slots; None, and the lease given up, if that cannot be.

        Raises:
            ServerAway: nobody is to blame; the lease is ours until the server answers again.
            ServiceError: too many starts in a row went wrong.
        """
        spec = self._receive(lease)
        if spec is None or self.drop_if_ended(lease.run_id):
            return None
        try:
            data = self._find_data(spec)
            if data.missing:
                self._refuse(lease, spec, " ".join(data.missing))
                return None
            used = self._slots.choose(spec, free)
            running = self._hand_over(lease, spec, used, data.used)
        except ServerAway:
            raise
        except (OSError, RunyardError) as error:
            self.not_started(lease, str(error))
            return None
        holder = Holder(
            pid=running.handle.pid or os.getpid(),
            user=user_name(),
            what=spec.name,
            run_id=lease.run_id,
            since=self._clock(),
        )
        for taken in used:
            taken.lock.describe(holder)
            taken.lock.release()  # the supervisor has it now
        return running

    def not_started(self, lease: Lease, why: str) -> None:
        """Give the run back; after some of these in a row it is us who are broken, and no run should suffer."""
        self._client.queue.give_back(lease.run_id, lease.worker_id, lease.attempt)
        self.drop_if_ended(lease.run_id)
        self._failed_starts += 1
        self._say(f"Run {lease.run_id} could not be started: {why}.")
        if self._failed_starts >= _FAILED_STARTS:
            raise ServiceError(
                f"{self._failed_starts} runs in a row could not be started: {why}. "
                f"What supervisors print is kept in {supervisor_log(self._client.home.path)}."
            )

    def has_worked(self) -> None:
        """A run that was started here came to a clean end."""
        self._failed_starts = 0

    def drop_if_ended(self, run_id: RunId) -> bool:
        """Take a run out of the queue that was cancelled between our claim and its start."""
        try:
            is_over = RunState(self._client.index.get(run_id).state).is_ended
        except NotFound:
            is_over = True
        if is_over:
            self._client.queue.remove(run_id)
        return is_over

    def _receive(self, lease: Lease) -> RunSpec | None:
        try:
            return self._client.receive(lease.run_id)
        except NotFound:
            self._client.queue.remove(lease.run_id)
        except ServerAway:
            raise
        except RunyardError as error:
            self._client.queue.give_back(lease.run_id, lease.worker_id, lease.attempt)
            self._client.queue.hold([lease.run_id], why=str(error))
            self._say(f"Run {lease.run_id} is held: {error}")
        return None

    def _refuse(self, lease: Lease, spec: RunSpec, why: str) -> None:
        """Leave a run to machines that have its data."""
        self._client.queue.refuse(
            lease.run_id, lease.worker_id, lease.attempt, host=host_name(), why=why, now=self._clock()
        )
        self._say(f"Run {lease.run_id} ({spec.name}) is left to other machines, and tried again later: {why}")

    def _hand_over(self, lease: Lease, spec: RunSpec, used: Sequence[Taken], data: dict[str, str]) -> Running:
        """Give lease and locks to a new supervisor."""
        freed_fd, held_fd = os.pipe()
        try:
            order = self._order(lease, spec, used, held_fd, data)
            place = used[0].slot.name if len(used) == 1 else ""
            handle = self._executor.start(encode_order(order), fds=order.lock_fds, place=place)
        except (OSError, RunyardError):
            os.close(freed_fd)
            raise
        finally:
            os.close(held_fd)
        return Running(lease, spec, tuple(taken.slot for taken in used), handle, freed_fd)

    def _order(
        self, lease: Lease, spec: RunSpec, used: Sequence[Taken], held_fd: int, data: dict[str, str]
    ) -> LaunchOrder:
        """What the supervisor is told. `held_fd` travels with the locks, so that we see when they are free."""
        slots = [taken.slot for taken in used]
        return LaunchOrder(
            run_id=lease.run_id,
            home=str(self._client.home.path),
            attempt=lease.attempt,
            devices=tuple(slot.name for slot in slots),
            device_names=tuple(slot.device_name or slot.label for slot in slots),
            env=environment_of(spec, slots, code=self._code_of(spec)),
            lock_fds=(*(taken.lock.fd for taken in used), held_fd),
            worker_id=lease.worker_id,
            data=data,
        )

    def _find_data(self, spec: RunSpec) -> Found:
        """Where the run's data lie here; relative paths start where it works, else in the code that came with it."""
        code = self._code_of(spec)
        folder = Path(spec.project_dir)
        try:
            keys = load_project(code or folder).data_roots
        except (ProjectNotFound, UsageError):  # no settings that can be read, so nothing is known of its data
            keys = ()
        if not keys and spec.data is None:
            return Found({}, ())
        return find_data(Places.of_machine(), keys, spec.config, spec.data, folders=[folder, *([code] if code else [])])

    def _code_of(self, spec: RunSpec) -> Path | None:
        """Where the child imports from: the code of the moment at which the run was queued."""
        if spec.code.snapshot is None:
            return None
        return materialise(spec.code.snapshot, self._client.artifacts, self._client.home)


def supervisor_log(home: Path) -> Path:
    """Where supervisors of a home print what nobody else would hear."""
    return home / "supervisors.log"
