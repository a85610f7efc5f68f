"""The end of attempts that nobody watches any more.

A supervisor holds a lock on its host.journal as long as it lives, so on one machine there is no need
to wait for a lease to run out: a free lock and no `Ended` mean that it was killed or that the host
restarted. The end is then written into the run's edits, and the queue decides whether it goes on.

An attempt that never began leaves no such trace. It is fenced off before its run is given to anybody
else: a host.journal is put where its supervisor, should it appear after all, would put its own, and it
refuses to start.

Of an attempt on another machine nothing can be seen but what it delivers. Its lease says whether its run is given to
somebody else; without a lease it counts as lost when nothing was heard of it for long, until something is heard again.
"""

import fcntl
import os
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from runyard.client import submission
from runyard.client.leftovers import collect
from runyard.errors import NotFound, RunyardError
from runyard.hosts import boot_id, host_name
from runyard.index import NOT_STARTED, RunRow
from runyard.journal import HOST, Attempt, JournalWriter, is_untouched
from runyard.journal.events import Ended, Started, Warned
from runyard.journal.reader import EventAt, read_journal
from runyard.queue import LEASE_S, Lease
from runyard.records import RunState

if TYPE_CHECKING:
    from runyard.client.client import Client

START_S = 30.0  # a detached supervisor may take so long to appear on a loaded machine
SILENT_S = 600.0  # an attempt of another machine that nobody leases is lost after that; a laptop may doze for a while
FOREIGN_SILENT_S = 12 * 3600.0  # clients of other trackers send no sign of life between two points
_LONGEST_REASON = 1000
HANDOVER_S = 5.0  # between a claim and the first sign of a supervisor, if the worker is gone meanwhile


def recover_submissions(client: "Client") -> None:
    """Take back half-done submissions."""
    submission.recover(client)


def reap(client: "Client", now: float) -> list[str]:
    """Settle every attempt whose supervisor is gone; return the ids of their runs.

    A run that cannot be settled (its folder is damaged, or belongs to somebody else) keeps nobody from the others.
    """
    reaped: list[str] = []

    def settled(run_id: str, action: Callable[[], bool]) -> None:
        try:
            if action():
                reaped.append(run_id)
        except (RunyardError, OSError):  # `runyard doctor` names what is wrong with a folder
            pass

    for row in client.index.find('state == "RUNNING"', limit=None):
        settled(row.id, partial(_reap_running, client, row, now))
    leases = {lease.run_id: lease for lease in client.queue.leases_of_host() + client.queue.expired(now)}
    pids = _pids_of_workers(client) if leases else {}
    for lease in leases.values():
        if lease.worker_id in pids or not lease.worker_id or lease.is_expired(now):
            settled(lease.run_id, partial(_reap_lease, client, lease, now, worker_pid=pids.get(lease.worker_id)))
    for row in client.index.find(f'state == "QUEUED" and reason == "{NOT_STARTED}"', limit=None):
        settled(row.id, partial(_reap_never_started, client, row, now))
    return reaped


def _reap_running(client: "Client", row: RunRow, now: float) -> bool:
    try:
        attempt = client.folder(row.id).attempt(row.attempt)
    except NotFound:
        return _forget(client, row.id)
    if attempt.is_delivered:
        return _reap_silent(client, attempt, row, now)
    if row.host != host_name() or attempt.is_supervised():
        return False
    client.index.catch_up(row.id)  # it may have ended properly a moment ago
    if client.index.get(row.id).state != RunState.RUNNING:
        client.settle(row.id)
        return True
    if not attempt.journal(HOST).exists() and not _is_overdue(attempt, now):
        return False
    return _write_end(client, attempt, _what_happened(attempt))


def end_all(client: "Client", why: str) -> list[str]:
    """Tell the end of every attempt of a home in which nobody executes anything; return the ids of their runs.

    What another machine executes is left alone: it brings its journals, or its silence tells.
    """
    ended: list[str] = []
    unfinished = f'state == "RUNNING" or (state == "QUEUED" and reason == "{NOT_STARTED}")'
    for row in client.index.find(unfinished, limit=None):
        attempt = client.folder(row.id).attempt(max(row.attempt, 1))
        if not attempt.is_delivered and not attempt.is_supervised() and _write_end(client, attempt, why):
            ended.append(row.id)
    return ended


def _reap_silent(client: "Client", attempt: Attempt, row: RunRow, now: float) -> bool:
    """An attempt of another machine; if its run is in the queue, `_reap_lease` decides."""
    if client.queue.row(row.id) is not None:
        return False
    heard_at = max((os.stat(attempt.journal(stream)).st_mtime for stream in attempt.streams()), default=now)
    patience_s = FOREIGN_SILENT_S if row.source else SILENT_S
    if now - heard_at <= patience_s:
        return False
    why = f"nothing was heard of {row.host or 'its machine'} for {patience_s / 60:.0f} minutes"
    return _tell_end(client, attempt, RunState.LOST, why)


def give_up(client: "Client", run_id: str, attempt: int, why: str) -> None:
    """See `Client.give_up`."""
    client.index.catch_up(run_id)
    row = client.index.get(run_id)
    is_latest = row.attempt == attempt and row.state == RunState.RUNNING
    if is_latest or (attempt < row.attempt and attempt in client.index.open_attempts(run_id)):
        _tell_end(client, client.folder(run_id).attempt(attempt), RunState.INTERRUPTED, why[:_LONGEST_REASON])
    else:
        client.settle(run_id, given_up=attempt if row.attempt < attempt else 0)


def _reap_lease(client: "Client", lease: Lease, now: float, *, worker_pid: int | None) -> bool:
    """A run that was claimed: its attempt never began, or ended without the queue hearing of it."""
    try:
        attempt = client.folder(lease.run_id).attempt(lease.attempt)
    except NotFound:
        return _forget(client, lease.run_id)
    if attempt.is_supervised():
        return False
    client.index.catch_up(lease.run_id)
    row = client.index.get(lease.run_id)
    if row.state == RunState.RUNNING and row.attempt == lease.attempt:
        if not attempt.is_delivered:
            return _write_end(client, attempt, _what_happened(attempt))
        if not lease.is_expired(now):
            return False
        why = f"nothing was heard of {row.host or 'its machine'} for {LEASE_S:.0f} s"
        return _tell_end(client, attempt, RunState.INTERRUPTED, why)
    if row.attempt >= lease.attempt:  # it has ended
        client.settle(lease.run_id)
        return True
    is_abandoned = worker_pid is not None and not _is_alive(worker_pid) and now - _claimed_at(lease) > HANDOVER_S
    if not (lease.is_expired(now) or is_abandoned):
        return False
    is_here = worker_pid is not None or not lease.worker_id
    if is_here and not attempt.is_delivered and not _fence_off(attempt):
        return False  # what another machine still begins is an attempt beside the next, and is told so
    client.settle(lease.run_id, given_up=lease.attempt)
    return True


def _reap_never_started(client: "Client", row: RunRow, now: float) -> bool:
    """A run that was to be executed by the process that made it; nobody else will ever start it."""
    if client.spec(row.id).host not in ("", host_name()):
        return False
    attempt = client.folder(row.id).attempt(1)
    if attempt.is_supervised() or attempt.is_delivered:
        return False
    if not attempt.journal(HOST).exists() and (
        now - row.created_at.timestamp() < START_S or not _is_overdue(attempt, now) or not _fence_off(attempt)
    ):
        return False
    client.index.catch_up(row.id)  # it may have begun a moment ago
    if client.index.get(row.id).reason != NOT_STARTED:
        return False
    return _write_end(client, attempt, "the process that was to execute it ended before it began")


def _forget(client: "Client", run_id: str) -> bool:
    """Somebody deleted the folder of a run that executes: there is nothing left that could be told about it."""
    with client.database.transaction() as tx:
        client.index.remove([run_id], connection=tx)
        client.queue.remove(run_id, connection=tx)
    return True


def _write_end(client: "Client", attempt: Attempt, why: str) -> bool:
    """Tell the end of an attempt, and bring home what it left; False if somebody else is just doing that."""
    attempt.path.mkdir(parents=True, exist_ok=True)
    journal = JournalWriter(attempt.journal(HOST), run=attempt.run.id, attempt=attempt.number, stream=HOST)
    try:
        fcntl.flock(journal.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        collect(attempt, journal, client.artifacts)
    except BlockingIOError:
        return False
    finally:
        journal.close()
    return _tell_end(client, attempt, RunState.INTERRUPTED, why)


def _tell_end(client: "Client", attempt: Attempt, state: RunState, why: str) -> bool:
    run_id = attempt.run.id
    client.edit(run_id, Ended(time_ns=time.time_ns(), state=state, reason=why, attempt=attempt.number))
    client.index.catch_up(run_id)
    client.settle(run_id)
    return True


def _fence_off(attempt: Attempt) -> bool:
    """Keep the supervisor of an attempt from starting late; False if it was faster."""
    attempt.path.mkdir(parents=True, exist_ok=True)
    journal = JournalWriter(attempt.journal(HOST), run=attempt.run.id, attempt=attempt.number, stream=HOST)
    try:
        fcntl.flock(journal.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if is_untouched(attempt.journal(HOST)):
            text = f"attempt {attempt.number} never began: whoever was to execute it was gone"
            journal.event(Warned(time_ns=time.time_ns(), text=text))
        return not journal.is_blocked
    except BlockingIOError:
        return False
    finally:
        journal.close()


def _pids_of_workers(client: "Client") -> dict[str, int]:
    """The workers of this very home on this machine, dead ones too as long as they hold a lease."""
    home = str(client.home.path)
    return {w.worker_id: w.pid for w in client.queue.workers() if w.host == host_name() and w.home == home}


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        pass
    return True


def _claimed_at(lease: Lease) -> float:
    return lease.expires_at - LEASE_S  # nobody renews a lease before a supervisor is there


def _what_happened(attempt: Attempt) -> str:
    started = _started(attempt)
    if started and started.boot_id and started.boot_id != boot_id():
        return f"{started.host} was restarted while it ran"
    return "its supervisor was ended from outside"


def _started(attempt: Attempt) -> Started | None:
    try:
        items, _ = read_journal(attempt.journal(HOST))
    except FileNotFoundError:
        return None
    return next((i.event for i in items if isinstance(i, EventAt) and isinstance(i.event, Started)), None)


def _is_overdue(attempt: Attempt, now: float) -> bool:
    try:
        return now - os.stat(attempt.path).st_mtime > START_S
    except FileNotFoundError:
        return True
