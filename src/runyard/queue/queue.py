"""The queue: one row for every run that waits or is being executed, in the same database as the index.

The rows can be rebuilt from the run folders; what people change is written there first, by the
client. Here, each call is one short transaction, or part of one that the caller passes as
`connection`. Times are Unix seconds and arguments. The order is: high priority first; then users
in turn (`queue/shares.py`); within a user, position, which is the time of creation until somebody
moves a run.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, delete, func, or_, select, true, update

from runyard.database import Database, again_after_deadlock, lock_runs, upsert
from runyard.database.schema import paused_projects, queue, refusals, workers
from runyard.errors import LeaseLost, NotFound
from runyard.hosts import host_name
from runyard.queue import filling, placements, presence, shares
from runyard.queue.capacity import Capacity, fits
from runyard.queue.choice import ORDER, next_fitting, startable
from runyard.queue.leases import LEASE_S, Lease
from runyard.queue.placements import Placement
from runyard.queue.rows import HELD, LEASED, WAITING, Counts, QueueRow, Standing, WorkerRow
from runyard.records import RunId, RunSpec, WorkerId


class Queue:
    """The rows of the queue of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: ColumnElement[bool] = true()  # which rows, and
        self._seen_projects: ColumnElement[bool] = true()  # which paused projects

    def within(self, visible: Callable[[ColumnElement[str]], ColumnElement[bool]]) -> "Queue":
        """This queue as somebody sees it who may see some projects only; other runs are neither shown nor claimed.

        Args:
            visible: what the column with the name of a project must fulfil.
        """
        limited = copy(self)
        limited._seen = visible(queue.c.project)
        limited._seen_projects = visible(paused_projects.c.project)
        return limited

    # ---- filling ----

    def add(self, connection: Connection, specs: Sequence[RunSpec], *, now: float) -> None:
        """Append runs in the given order; those that are in the queue already stay where they are."""
        filling.append(connection, specs, now=now)

    @again_after_deadlock
    def requeue(
        self,
        spec: RunSpec,
        *,
        attempt: int,
        now: float,
        held: str | None = None,
        priority: int | None = None,
        position: float | None = None,
        connection: Connection | None = None,
    ) -> None:
        """Let a run wait again after its attempt `attempt` (0: it never started), held if a reason is given.

        It keeps its place if it has one. A newer attempt that is under way is left alone.

        Args:
            priority: of a run that comes back into the queue; the one it was submitted with if left out.
            position: likewise; the time of its creation if left out.
        """
        with self._writing(connection) as tx:
            lock_runs(tx, [spec.id])
            row = tx.execute(select(queue).where(queue.c.run_id == spec.id).with_for_update()).one_or_none()
            if row is None:
                self.add(tx, [spec], now=now)
                self.reorder(spec.id, priority=priority, position=position, connection=tx)
            elif row.state == LEASED and row.attempt > attempt and row.lease_expires_at > now:
                return
            latest = max(attempt, row.attempt if row else 0)  # a number is never given out twice
            changes = {"state": WAITING if held is None else HELD, "held_reason": held, "attempt": latest}
            tx.execute(update(queue).where(queue.c.run_id == spec.id).values(**changes, **_NO_LEASE))

    def rebuild(self, connection: Connection, entries: Iterable[tuple[RunSpec, Standing]], *, now: float) -> None:
        """Fill the queue anew from the index: runs that are QUEUED, HELD or RUNNING.

        Leases that are alive survive. A running run without one gets a lease that belongs to nobody yet:
        the next heartbeat of its supervisor takes it over.
        """
        filling.fill_anew(connection, entries, now=now)

    # ---- executing ----

    def claim_next(
        self, worker_id: WorkerId, capacity: Capacity, *, now: float, connection: Connection | None = None
    ) -> Lease | None:
        """Lease the first run in the order that fits the free slots, or return None.

        A run that needs several GPUs is not overtaken on this worker by runs that need fewer.
        """
        with self._writing(connection) as tx:
            shared = shares.read_shares(tx)
            next_ = next_fitting(tx, capacity, self._seen, shared).with_for_update(skip_locked=True)
            row = tx.execute(next_).one_or_none()
            if row is None:
                return None
            shares.take_turn(tx, shared, row.user)
            granted = {
                "state": LEASED,
                "worker_id": worker_id,
                "attempt": row.attempt + 1,
                "lease_expires_at": now + LEASE_S,
                "claimed_at": now,
            }
            tx.execute(update(queue).where(queue.c.run_id == row.run_id).values(**granted))
            return Lease(
                run_id=RunId(row.run_id),
                worker_id=worker_id,
                attempt=row.attempt + 1,
                expires_at=now + LEASE_S,
                gpus=row.gpus,
                cpus=row.cpus,
            )

    def heartbeat(
        self, run_id: str, worker_id: str, attempt: int, *, now: float, connection: Connection | None = None
    ) -> float:
        """Renew a lease; return when it expires now.

        Raises:
            LeaseLost: the run was given to somebody else, or taken out of the queue.
        """
        renewed = {"lease_expires_at": now + LEASE_S, "worker_id": worker_id}
        with self._writing(connection) as tx:
            if tx.execute(update(queue).where(*_lease(run_id, worker_id, attempt)).values(**renewed)).rowcount == 0:
                raise _lease_lost(tx, run_id, attempt)
        return now + LEASE_S

    @again_after_deadlock
    def renew_leases(self, *, now: float) -> None:
        """Renew all leases once: their holders could not while the server was away, and are not to blame."""
        renewed = update(queue).where(queue.c.state == LEASED, queue.c.lease_expires_at < now + LEASE_S)
        with self._database.transaction() as tx:
            tx.execute(renewed.values(lease_expires_at=now + LEASE_S))

    def give_back(self, run_id: str, worker_id: str, attempt: int, *, connection: Connection | None = None) -> bool:
        """Return a leased run whose attempt did not start to its place; whether the lease was still ours."""
        with self._writing(connection) as tx:
            changed = update(queue).where(*_lease(run_id, worker_id, attempt)).values(state=WAITING, **_NO_LEASE)
            return bool(tx.execute(changed).rowcount)

    def refuse(
        self,
        run_id: str,
        worker_id: str,
        attempt: int,
        *,
        host: str,
        why: str,
        now: float,
        connection: Connection | None = None,
    ) -> bool:
        """Return a leased run to its place, for other machines: this one gets it again after a while.

        The attempt never was: its number is given out again. Does nothing if the lease is not ours any more.

        Args:
            why: what this machine lacks, as a sentence.

        Returns:
            Whether it was.
        """
        with self._writing(connection) as tx:
            changed = update(queue).where(*_lease(run_id, worker_id, attempt))
            if not tx.execute(changed.values(state=WAITING, attempt=attempt - 1, **_NO_LEASE)).rowcount:
                return False
            row = {"run_id": run_id, "host": host, "reason": why, "refused_at": now}
            upsert(tx, refusals, [row])
            return True

    def reconsider(self, *, host: str, older_than_s: float, now: float, connection: Connection | None = None) -> None:
        """Forget what a machine refused so long ago, so that it may try again."""
        statement = delete(refusals).where(refusals.c.host == host, refusals.c.refused_at <= now - older_than_s)
        with self._writing(connection) as tx:
            tx.execute(statement)

    def finish(self, run_id: str, worker_id: str, attempt: int, *, connection: Connection | None = None) -> None:
        """Take an executed run out of the queue.

        Raises:
            LeaseLost: the run was given to somebody else meanwhile.
        """
        with self._writing(connection) as tx:
            if tx.execute(delete(queue).where(*_lease(run_id, worker_id, attempt))).rowcount == 0:
                raise _lease_lost(tx, run_id, attempt)

    def remove(self, run_id: str, *, attempt: int | None = None, connection: Connection | None = None) -> bool:
        """Take a run out of the queue, whatever its state; whether it was there.

        With `attempt`, a row that has gone on to a newer attempt is left alone.
        """
        with self._writing(connection) as tx:
            statement = delete(queue).where(queue.c.run_id == run_id)
            if attempt is not None:
                statement = statement.where(queue.c.attempt <= attempt)
            return bool(tx.execute(statement).rowcount)

    def expired(self, now: float) -> list[Lease]:
        """Leases that nobody has renewed in time."""
        return self._leases(select(queue).where(queue.c.state == LEASED, queue.c.lease_expires_at <= now))

    def leases_of_host(self, host: str | None = None) -> list[Lease]:
        """Leases of workers on one machine, this one by default, and those that belong to nobody yet."""
        of_host = select(workers.c.worker_id).where(workers.c.host == (host or host_name()))
        whose = or_(queue.c.worker_id.in_(of_host), queue.c.worker_id.is_(None))
        return self._leases(select(queue).where(self._seen, queue.c.state == LEASED, whose))

    def leases_of_worker(self, worker_id: str) -> list[Lease]:
        """What one worker may execute."""
        return self._leases(select(queue).where(self._seen, queue.c.state == LEASED, queue.c.worker_id == worker_id))

    # ---- what people change ----

    def cancel(self, run_id: str, *, connection: Connection | None = None) -> bool:
        """Take a run out that does not execute yet; False if it is not in the queue or already leased."""
        with self._writing(connection) as tx:
            statement = delete(queue).where(queue.c.run_id == run_id, queue.c.state != LEASED)
            return bool(tx.execute(statement).rowcount)

    def hold(self, run_ids: Sequence[str], *, why: str, connection: Connection | None = None) -> list[RunId]:
        """Keep waiting runs from starting; return those that waited."""
        return self._change(run_ids, WAITING, {"state": HELD, "held_reason": why}, connection=connection)

    def release(self, run_ids: Sequence[str], *, connection: Connection | None = None) -> list[RunId]:
        """Let held runs start again, at their old place; return those that were held."""
        return self._change(run_ids, HELD, {"state": WAITING, "held_reason": None}, connection=connection)

    @again_after_deadlock
    def hold_grid(self, grid: str, *, why: str, connection: Connection | None = None) -> list[RunId]:
        """Hold all runs of a grid that wait; return them."""
        with self._writing(connection) as tx:
            return self.hold(self._of_grid(tx, grid, WAITING), why=why, connection=tx)

    @again_after_deadlock
    def release_grid(self, grid: str, *, connection: Connection | None = None) -> list[RunId]:
        """Release all held runs of a grid; return them."""
        with self._writing(connection) as tx:
            return self.release(self._of_grid(tx, grid, HELD), connection=tx)

    def waiting_of_grid(self, grid: str) -> list[RunId]:
        """The runs of a grid that wait, in the order of the queue."""
        with self._database.read() as tx:
            return self._of_grid(tx, grid, WAITING)

    def pause(self, project: str, *, by: str, now: float) -> None:
        """Start no more runs of a project; those that run go on."""
        with self._database.transaction() as tx:
            upsert(tx, paused_projects, [{"project": project, "by": by, "paused_at": now}])

    def resume(self, project: str) -> bool:
        """Start runs of the project again; whether it was paused."""
        with self._database.transaction() as tx:
            return bool(tx.execute(delete(paused_projects).where(paused_projects.c.project == project)).rowcount)

    def paused(self) -> dict[str, str]:
        """The paused projects, and who paused each."""
        with self._database.read() as tx:
            return {row.project: row.by for row in tx.execute(select(paused_projects).where(self._seen_projects))}

    def reorder(
        self,
        run_id: str,
        *,
        priority: int | None = None,
        position: float | None = None,
        connection: Connection | None = None,
    ) -> None:
        """Give a run another priority, another position, or both.

        Raises:
            NotFound: it is not in the queue.
        """
        changes = {"priority": priority, "position": position}
        changes = {name: value for name, value in changes.items() if value is not None}
        with self._writing(connection) as tx:
            _require(tx, run_id)
            if changes:
                tx.execute(update(queue).where(queue.c.run_id == run_id).values(**changes))

    def set_priority(self, run_id: str, priority: int, *, connection: Connection | None = None) -> None:
        """Give a run another priority; higher ones start first.

        Raises:
            NotFound: it is not in the queue.
        """
        self.reorder(run_id, priority=priority, connection=connection)

    def to_top(self, run_id: str, *, connection: Connection | None = None) -> list[Placement]:
        """Where a run has to go to be the next one. See `move_before` for the result.

        Raises:
            NotFound: it is not waiting.
        """
        with self._reading(connection) as tx:
            return placements.to_top(_places(tx), RunId(run_id))

    def to_bottom(self, run_id: str, *, connection: Connection | None = None) -> list[Placement]:
        """Where a run has to go to be the last one. See `move_before` for the result.

        Raises:
            NotFound: it is not waiting.
        """
        with self._reading(connection) as tx:
            return placements.to_bottom(_places(tx), RunId(run_id))

    def move_before(self, run_id: str, other: str, *, connection: Connection | None = None) -> list[Placement]:
        """Where a run has to go to start right before another; changes nothing.

        Returns:
            The new places, to be written down and then given to `place`. Mostly one, but more
            when there is no number left between two neighbours.

        Raises:
            NotFound: one of them is not waiting.
        """
        with self._reading(connection) as tx:
            return placements.before(_places(tx), RunId(run_id), RunId(other))

    @again_after_deadlock
    def place(self, places: Sequence[Placement], *, connection: Connection | None = None) -> None:
        """Put runs at new places."""
        with self._writing(connection) as tx:
            for placement in sorted(places, key=lambda each: each.run_id):  # see `database/locks.py`
                place = {"priority": placement.priority, "position": placement.position}
                tx.execute(update(queue).where(queue.c.run_id == placement.run_id).values(**place))

    # ---- looking ----

    def rows(self, project: str | None = None, *, grid: str | None = None) -> list[QueueRow]:
        """The queue: executing runs first, then the others in the order in which they will start.

        Among several users that is the order for as long as none of the executing runs ends; each end gives its user
        an earlier turn.
        """
        statement = select(queue).where(self._seen).order_by((queue.c.state == LEASED).desc(), *ORDER)
        with self._database.read() as tx:
            found = [QueueRow(**row._mapping) for row in tx.execute(statement)]
            n_leased = sum(row.state == LEASED for row in found)
            ordered = found[:n_leased] + shares.in_turn(found[n_leased:], shares.read_shares(tx))
            refused = _refusals(tx)
        return [
            msgspec.structs.replace(row, refused=refused[row.run_id]) if row.run_id in refused else row
            for row in ordered
            if project in (None, row.project) and grid in (None, row.grid)
        ]

    def row(self, run_id: str) -> QueueRow | None:
        """One run of the queue."""
        with self._database.read() as tx:
            row = tx.execute(select(queue).where(queue.c.run_id == run_id)).one_or_none()
        return QueueRow(**row._mapping) if row else None

    def counts(self, project: str | None = None) -> Counts:
        """How many runs wait, are held, and execute."""
        paused = select(paused_projects.c.project)
        statement = select(queue.c.state, queue.c.project.in_(paused).label("is_paused"), func.count().label("n"))
        statement = statement.where(self._seen)
        if project is not None:
            statement = statement.where(queue.c.project == project)
        found = {WAITING: 0, HELD: 0, LEASED: 0}
        n_paused = 0
        with self._database.read() as tx:
            for state, is_paused, n in tx.execute(statement.group_by(queue.c.state, "is_paused")):
                found[state] += n
                n_paused += n if is_paused and state == WAITING else 0
        return Counts(waiting=found[WAITING], held=found[HELD], leased=found[LEASED], paused=n_paused)

    def startable(self, capacity: Capacity) -> int:
        """How many waiting runs this worker could start if all its slots were free."""
        statement = select(func.count()).select_from(queue).where(self._seen, *startable(), fits(capacity.when_idle()))
        with self._database.read() as tx:
            return int(tx.scalar(statement) or 0)

    def next_fitting(self, capacity: Capacity) -> RunId | None:
        """The run that `claim_next` would lease now; it may be another one in a moment."""
        with self._database.read() as tx:
            row = tx.execute(next_fitting(tx, capacity, self._seen, shares.read_shares(tx))).one_or_none()
        return RunId(row.run_id) if row else None

    # ---- workers ----

    @again_after_deadlock
    def see_worker(self, worker: WorkerRow) -> None:
        """Note that a worker is alive; forget those that have been silent for long and hold no lease."""
        with self._database.transaction() as tx:
            presence.see(tx, worker)

    def forget_worker(self, worker_id: str) -> None:
        """A worker ends. One that leaves runs behind is remembered, so that their leases can be traced to its host."""
        with self._database.transaction() as tx:
            presence.forget(tx, worker_id)

    def workers(self) -> list[WorkerRow]:
        """All workers that were seen lately."""
        with self._database.read() as tx:
            return presence.listed(tx)

    # ---- how ----

    @contextmanager
    def _writing(self, connection: Connection | None) -> Iterator[Connection]:
        if connection is not None:
            yield connection
            return
        with self._database.transaction() as tx:
            yield tx

    @contextmanager
    def _reading(self, connection: Connection | None) -> Iterator[Connection]:
        if connection is not None:
            yield connection
            return
        with self._database.read() as tx:
            yield tx

    def _leases(self, statement: Select[Any]) -> list[Lease]:
        with self._database.read() as tx:
            return [
                Lease(
                    run_id=RunId(row.run_id),
                    worker_id=WorkerId(row.worker_id or ""),
                    attempt=row.attempt,
                    expires_at=row.lease_expires_at,
                    gpus=row.gpus,
                    cpus=row.cpus,
                )
                for row in tx.execute(statement.order_by(queue.c.run_id))
            ]

    def _of_grid(self, tx: Connection, grid: str, state: str) -> list[RunId]:
        statement = select(queue.c.run_id).where(self._seen, queue.c.grid == grid, queue.c.state == state)
        return [RunId(run_id) for run_id in tx.scalars(statement.order_by(*ORDER))]

    @again_after_deadlock
    def _change(
        self, run_ids: Sequence[str], state: str, changes: dict[str, Any], *, connection: Connection | None
    ) -> list[RunId]:
        with self._writing(connection) as tx:
            changed = {
                run_id
                for run_id in sorted(run_ids)  # see `database/locks.py`
                if tx.execute(
                    update(queue).where(queue.c.run_id == run_id, queue.c.state == state).values(**changes)
                ).rowcount
            }
        return [RunId(run_id) for run_id in run_ids if run_id in changed]


_NO_LEASE: dict[str, None] = {"worker_id": None, "lease_expires_at": None, "claimed_at": None}


def _refusals(tx: Connection) -> dict[str, tuple[str, ...]]:
    """What machines said, by run."""
    found: dict[str, tuple[str, ...]] = {}
    for row in tx.execute(select(refusals).order_by(refusals.c.run_id, refusals.c.host)):
        found[row.run_id] = (*found.get(row.run_id, ()), f"{row.host}: {row.reason}")
    return found


def _lease(run_id: str, worker_id: str, attempt: int) -> tuple[Any, ...]:  # conditions, as above
    is_theirs = or_(queue.c.worker_id == worker_id, queue.c.worker_id.is_(None))  # None: rebuilt, not yet taken over
    return queue.c.run_id == run_id, queue.c.state == LEASED, queue.c.attempt == attempt, is_theirs


def _lease_lost(tx: Connection, run_id: str, attempt: int) -> LeaseLost:
    row = tx.execute(select(queue).where(queue.c.run_id == run_id)).one_or_none()
    if row is None:
        return LeaseLost(f"Run {run_id} is not in the queue any more; attempt {attempt} of it has no lease.")
    if row.state != LEASED:
        return LeaseLost(f"Run {run_id} has gone back to the queue ({row.state}); attempt {attempt} has no lease.")
    return LeaseLost(f"Run {run_id} now belongs to worker {row.worker_id}, attempt {row.attempt}, not {attempt}.")


def _require(tx: Connection, run_id: str) -> None:
    if tx.scalar(select(func.count()).select_from(queue).where(queue.c.run_id == run_id)) == 0:
        raise NotFound(f"Run {run_id} is not in the queue. `run.py queue` shows what is.")


def _places(tx: Connection) -> list[Placement]:
    """Everything that does not execute yet, in the order in which it will."""
    statement = select(queue.c.run_id, queue.c.priority, queue.c.position).where(queue.c.state != LEASED)
    rows = tx.execute(statement.order_by(*ORDER))
    return [Placement(RunId(row.run_id), row.priority, row.position) for row in rows]
