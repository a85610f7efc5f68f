"""The one door to the runs of a home on this machine.

Every change is first written into the run's folder, which is the truth, and then into the index and
the queue. A crash between the two is mended by `reap`, which every command calls before it looks.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from pathlib import Path

import msgspec

from runyard import servers
from runyard.artifacts import ArtifactStore
from runyard.artifacts.store import Uploaded
from runyard.client import brought, reaper, submission, trash
from runyard.client.brought import Brought
from runyard.client.reservations import Reservations
from runyard.database import Database, lock_queue, lock_runs
from runyard.errors import JournalDamaged, NotFound, RunFinished, RunyardError, UsageError
from runyard.hosts import user_name
from runyard.index import Index, RunRow, Scope
from runyard.journal import EDITS, Home, RunFolder, append_event
from runyard.journal.events import (
    Event,
    Held,
    Noted,
    Released,
    Renamed,
    Reordered,
    Requeued,
    StopRequested,
    Tagged,
)
from runyard.journal.pieces import Piece, Receipt
from runyard.journal.reader import repair
from runyard.queue import Placement, Queue
from runyard.records import RunId, RunSpec, RunState

SAME_FAILURES = 3  # after so many equal tracebacks the rest of a grid would only repeat them


class Client:
    """Runs of one home: to submit, to execute, to change and to read.

    One process may hold several; after a fork the child opens its own.

    Attributes:
        rest_s: how long whoever delivers a run waits between two deliveries.
    """

    rest_s = 0.0

    def __init__(self, home: Home, *, database: str | None = None) -> None:
        """Open the database at a `postgresql://` URL, else the one that the home names, else the SQLite file in it."""
        self.home = home
        elsewhere = database or home.database_url
        self.database = Database.open(elsewhere or home.database)
        if elsewhere:
            self.database.belong_to(home.id)
        self.index = Index(self.database, home)
        self.queue = Queue(self.database)
        self.artifacts = open_artifacts(home)
        self.reservations = Reservations(home)
        self._user: str | None = None

    def acting(self, user: str, scope: Scope) -> "Client":
        """This client in the hands of somebody: changes carry `user`'s name, and only `scope` is seen and changed."""
        client = copy(self)
        client.index = self.index.within(scope)
        client.queue = self.queue.within(scope.over)
        client._user = user
        return client

    @property
    def by(self) -> str:
        """Who changes things through this client."""
        return self._user or user_name()

    def close(self) -> None:
        """Let go of the database."""
        self.database.dispose()

    def require_here(self, command: str) -> None:
        """Make sure that the home lies on this machine, as a command needs that reads or deletes its files.

        Raises:
            UsageError: it is that of a server.
        """

    def refresh(self) -> None:
        """Make the index tell the truth: rebuild it if it is of another version, reap the dead, read what is new."""
        if self.index.needs_reindex:
            self.reindex()
        reaper.recover_submissions(self)
        self.reap(time.time())
        self.index.catch_up()

    def reindex(self, progress: Callable[[int, int], None] | None = None) -> int:
        """Rebuild the index and the queue from the run folders; return the number of runs."""
        count = self.index.reindex(progress)
        with self.database.transaction() as connection:  # nobody submits or claims between the look and the change
            lock_queue(connection)
            waiting = self.index.find('state == "QUEUED" or state == "HELD" or state == "RUNNING"', limit=None)
            self.queue.rebuild(connection, list(self._with_specs(waiting)), now=time.time())
        return count

    # ---- submitting ----

    def submit(self, specs: Sequence[RunSpec]) -> None:
        """Create the runs; those with `is_queued` wait in the queue. All of them or none.

        Raises:
            OSError: the disk did not take them; nothing is left behind.
            NotAllowed: a project is not open to whoever this client acts for.
        """
        submission.submit(self, self._admitted(specs))

    def announce(self, specs: Sequence[RunSpec], *, into_queue: bool = True) -> list[RunId]:
        """Create runs that another machine asks for; those that are here already are left alone. Return the new ones.

        Args:
            into_queue: whether those for the queue wait in it; runs that were executed elsewhere do not.

        Raises:
            UsageError: a spec cannot be right, such as one whose id is none.
            ConflictError: another run has the id of one, or its code is not here.
            NotAllowed: a project is not open to whoever this client acts for.
        """
        return submission.announce(self, self._admitted(specs), into_queue=into_queue)

    # ---- the life of an attempt: called by workers and supervisors ----

    def spec(self, run_id: str) -> RunSpec:
        """What was asked for."""
        return submission.read_spec(self.folder(run_id))

    def receive(self, run_id: str) -> RunSpec:
        """What was asked for, with the run's folder in `home`, to execute it there."""
        return self.spec(run_id)

    def folder(self, run_id: str) -> RunFolder:
        """The folder of a run, in the trash or not.

        Raises:
            NotFound: there is none.
        """
        self.index.require(run_id)
        folder = self.home.run(run_id)
        if not folder.path.is_dir():
            folder = RunFolder(self.home.trash / run_id)
        if not folder.path.is_dir():
            raise NotFound(f"There is no run '{run_id}' in {self.home.path}. `runyard runs` lists them.")
        return folder

    def offset(self, run_id: str, attempt: int, stream: str) -> int:
        """How many bytes of a stream have arrived in the index."""
        return self.index.offset(run_id, attempt, stream)

    def deliver(self, pieces: Sequence[Piece]) -> list[Receipt]:
        """Hand over pieces of journals of this home, exactly once however often it is tried."""
        return [Receipt(self.index.apply(p.run_id, p.attempt, p.stream, p.offset, p.data)) for p in pieces]

    def bring_files(self) -> bool:
        """Whether all stored files are where they belong: in a home of this machine they are at once."""
        return True

    def bring_checkpoints(self, run_id: str, attempt: int) -> Iterator[None]:
        """Bring the checkpoints of now to where other machines find them, step by step; here they are at once."""
        return iter(())

    def fetch_checkpoints(self, run_id: str, attempt: int) -> Iterator[None]:
        """Lay out what another machine left for an attempt that begins, step by step, if that is newer."""
        return brought.take_over(self, run_id, attempt)

    def brought_checkpoints(self, run_id: str) -> Brought | None:
        """The latest state of checkpoints that another machine brought."""
        return brought.latest(self, run_id)

    def uploaded_checkpoints(self, run_id: str, attempt: int, contents: list[str]) -> list[Uploaded]:
        """How much of each file of an attempt's checkpoints has come, by content.

        Raises:
            ConflictError: a later attempt is under way.
        """
        return brought.uploaded(self, run_id, attempt, contents)

    def keep_checkpoints(self, run_id: str, attempt: int, manifest: str) -> None:
        """Let a state whose files have all come be the latest; what only older ones had is deleted.

        Raises:
            ConflictError: a later attempt is under way, or a file is missing.
        """
        brought.keep(self, run_id, attempt, manifest)

    def heartbeat(self, run_id: str, worker_id: str, attempt: int) -> None:
        """Keep the lease.

        Raises:
            LeaseLost: somebody else has it by now.
        """
        self.queue.heartbeat(run_id, worker_id, attempt, now=time.time())

    def attempt_ended(self, run_id: str) -> None:
        """Settle the queue after an attempt whose `Ended` is in its journal."""
        self.index.catch_up(run_id)
        self.settle(run_id)

    def give_up(self, run_id: str, attempt: int, why: str) -> None:
        """An attempt of another machine ended without anybody writing that down there; its journals are here."""
        reaper.give_up(self, run_id, attempt, why)

    def settle(self, run_id: str, *, given_up: int = 0) -> RunRow:
        """Make the queue agree with what the run's journals say; safe to call at any time.

        Args:
            given_up: the number of an attempt that was claimed and will never begin.
        """
        with self.database.transaction() as tx:
            lock_runs(tx, [run_id])  # nobody changes the run between the look and the change
            row = self.index.get(run_id)
            if row.state in (RunState.QUEUED, RunState.HELD):
                held = row.reason if row.state == RunState.HELD else None
                self.queue.requeue(
                    self.spec(run_id),
                    attempt=max(row.attempt, given_up),
                    now=time.time(),
                    held=held,
                    priority=row.priority,
                    position=row.position,
                    connection=tx,
                )
            elif RunState(row.state).is_ended:
                self.queue.remove(run_id, attempt=max(row.attempt, given_up), connection=tx)
        if row.state == RunState.COMPLETED:
            brought.forget(self.home.run(run_id))
        self._hold_after_same_failures(row)
        return row

    def reap(self, now: float) -> list[str]:
        """Write down the end of attempts that nobody watches any more; return the ids of their runs."""
        return reaper.reap(self, now)

    # ---- what people change ----

    def request_stop(self, run_id: str, *, why: str = "", by: str | None = None) -> str:
        """Stop a running run, or cancel a waiting one; return a sentence that says which.

        Raises:
            RunFinished: it has ended already.
        """
        row = self.index.get(run_id)
        state = RunState(row.state)
        if state.is_ended:
            raise RunFinished(f"Run {run_id} ({row.name}) has ended already: {row.state}.")
        attempt = row.attempt if state is RunState.RUNNING else 0
        self._edit(run_id, StopRequested(time_ns=time.time_ns(), by=by or self.by, why=why, attempt=attempt))
        if state is RunState.RUNNING:
            return f"{run_id} ({row.name}) was asked to stop."
        self.settle(run_id)
        return f"{run_id} ({row.name}) was taken out of the queue."

    def retry(self, run_id: str, *, by: str | None = None) -> None:
        """Put an ended run back into the queue, as a new attempt.

        Raises:
            RunFinished: it has not ended, so there is nothing to retry.
            UsageError: another tracker recorded it, so nothing here could execute it.
        """
        row = self.index.get(run_id)
        if row.source:
            raise UsageError(
                f"Run {run_id} ({row.name}) was recorded by another tracker ({row.source[:80]}); nothing here could "
                "execute it. Start it where it came from."
            )
        if not RunState(row.state).is_ended:
            raise RunFinished(f"Run {run_id} ({row.name}) is {row.state}; only a run that ended can be tried again.")
        self._edit(run_id, Requeued(time_ns=time.time_ns(), by=by or self.by, after_attempt=row.attempt))
        self.settle(run_id)

    def hold(self, run_ids: Sequence[str], *, why: str = "", by: str | None = None) -> int:
        """Keep waiting runs from starting; return how many."""
        return self._edit_waiting(run_ids, lambda: Held(time_ns=time.time_ns(), by=by or self.by, why=why))

    def release(self, run_ids: Sequence[str], *, by: str | None = None) -> int:
        """Let held runs start again; return how many."""
        return self._edit_waiting(run_ids, lambda: Released(time_ns=time.time_ns(), by=by or self.by))

    def set_priority(self, run_id: str, priority: int, *, by: str | None = None) -> None:
        """Give a waiting run another priority; higher ones start first."""
        self._edit(run_id, Reordered(time_ns=time.time_ns(), by=by or self.by, priority=priority))
        self._bring_into_order([run_id])

    def place(self, places: Sequence[Placement], *, by: str | None = None) -> None:
        """Put waiting runs at new places, as `queue.to_top` and the like give them."""
        for each in places:
            event = Reordered(time_ns=time.time_ns(), by=by or self.by, priority=each.priority, position=each.position)
            self._edit(each.run_id, event)
        self._bring_into_order([each.run_id for each in places])

    def rename(self, run_id: str, name: str) -> None:
        """Give a run another name."""
        self._edit(run_id, Renamed(time_ns=time.time_ns(), name=name, by=self.by))

    def tag(self, run_id: str, *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        """Add tags to a run, and take some away."""
        self._edit(run_id, Tagged(time_ns=time.time_ns(), add=tuple(add), remove=tuple(remove), by=self.by))

    def note(self, run_id: str, text: str) -> None:
        """Replace the note of a run."""
        self._edit(run_id, Noted(time_ns=time.time_ns(), text=text, by=self.by))

    def trash(self, run_ids: Sequence[str]) -> None:
        """Move runs into the trash.

        Raises:
            RunFinished: one of them still runs or waits; then none is moved.
        """
        trash.put(self, run_ids)

    def restore(self, run_ids: Sequence[str]) -> None:
        """Bring runs back from the trash."""
        trash.restore(self, run_ids)

    def edit(self, run_id: str, event: Event, *, durable: bool = True) -> None:
        """Append an event to a run's edits and bring it into the index."""
        self._edit(run_id, event, durable=durable)

    def _admitted(self, specs: Sequence[RunSpec]) -> Sequence[RunSpec]:
        """The runs in the name of whoever this client acts for, if they may make them."""
        for project in {spec.project for spec in specs}:
            self.index.scope.require(project)
        if self._user is None:
            return specs
        return [msgspec.structs.replace(spec, user=self._user) for spec in specs]

    def _edit(self, run_id: str, event: Event, *, durable: bool = True) -> None:
        edits = self.folder(run_id).edits
        end = append_event(edits, event, run=run_id, durable=durable)
        self.index.catch_up(run_id)
        if self.index.offset(run_id, 0, EDITS) < end:  # what stands before it is torn, so nobody could read it
            _mend(edits)
            append_event(edits, event, run=run_id, durable=durable)
            self.index.catch_up(run_id)

    def _bring_into_order(self, run_ids: Sequence[str]) -> None:
        """Give the queue what the edits say: when two people move one run, their last words count in both."""
        with self.database.transaction() as tx:
            lock_runs(tx, run_ids)
            for run_id in sorted(run_ids):
                row = self.index.get(run_id)
                self.queue.reorder(run_id, priority=row.priority, position=row.position, connection=tx)

    def _edit_waiting(self, run_ids: Sequence[str], event: Callable[[], Event]) -> int:
        count = 0
        for run_id in run_ids:
            if RunState(self.index.get(run_id).state) in (RunState.QUEUED, RunState.HELD):
                self._edit(run_id, event(), durable=False)
                self.settle(run_id)
                count += 1
        return count

    def _with_specs(self, rows: Iterable[RunRow]) -> Iterator[tuple[RunSpec, RunRow]]:
        for row in rows:
            try:
                yield self.spec(row.id), row
            except RunyardError:  # gone or damaged a moment ago: it cannot be executed
                continue

    def _hold_after_same_failures(self, row: RunRow) -> None:
        if row.state != RunState.FAILED or not row.grid or not row.fingerprint:
            return
        if self.index.failures_like(row.grid, row.fingerprint) < SAME_FAILURES:
            return
        waiting = self.queue.waiting_of_grid(row.grid)
        why = f"{SAME_FAILURES} runs of this grid failed in the same way: {row.reason}"
        self.hold(waiting, why=why, by="runyard")


def open_artifacts(home: Home) -> ArtifactStore:
    """The files of a home: in its folder, or in the bucket that it names.

    Raises:
        UsageError: the address of the bucket cannot be right, or there are no credentials for it.
        MissingExtra: it has a bucket, and obstore is not installed.
    """
    url = home.artifacts_url
    if url is None:
        return ArtifactStore(home.artifacts)
    from runyard.artifacts.s3 import S3ArtifactStore, read_place  # late: few homes have a bucket

    return S3ArtifactStore(home.artifacts, home.copies, read_place(url))


def open_client(home: "str | Path | Home | None" = None, *, database: str | None = None) -> Client:
    """Open the given home, else that of the team's server if there is one, else RUNYARD_HOME, else ~/.runyard.

    Args:
        database: the `postgresql://` URL of its database; else what the home says (`Home.database_url`).

    Raises:
        FormatUnknown: another version of Runyard wrote it.
        UsageError: what is known of the server makes no sense.
        UsageError, MissingExtra, DatabaseUnavailable: the database cannot be used, see `Database.open`.
    """
    found = home if isinstance(home, Home) else Home.open(home)
    url = found.server_url
    if url is None:
        return Client(found, database=database)
    from runyard.client.remote import RemoteClient  # late: most homes are of this machine

    return RemoteClient(found, servers.known(url))


def _mend(edits: Path) -> None:
    """Make edits readable to their end again. What has to go is kept beside them."""
    with edits.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            repair(edits)
        except JournalDamaged:
            os.rename(edits, edits.with_name(f"{edits.name}.damaged-{time.time_ns()}"))
