"""The end of attempts that nobody watches any more.

A supervisor holds a lock on its host.journal as long as it lives, so on one machine there is no need
to wait for a lease to run out: a free lock and no `Ended` mean that it was killed or that the host
restarted. The end is then written into the run's edits, and the queue decides whether it goes on.
"""

import os
import time
from typing import TYPE_CHECKING

from runyard.client import submission
from runyard.errors import NotFound
from runyard.hosts import boot_id, host_name
from runyard.index import RunRow
from runyard.journal import HOST, Attempt, append_event
from runyard.journal.events import Ended, Started
from runyard.journal.reader import EventAt, read_journal
from runyard.records import RunState

if TYPE_CHECKING:
    from runyard.client.client import Client

START_S = 30.0  # a detached supervisor may take so long to appear on a loaded machine


def recover_submissions(client: "Client") -> None:
    """Take back half-done submissions."""
    submission.recover(client)


def reap(client: "Client", now: float) -> list[str]:
    """Settle every attempt whose supervisor is gone; return the ids of their runs."""
    reaped: list[str] = []
    for row in client.index.find('state == "RUNNING"', limit=None):
        if _reap_running(client, row, now):
            reaped.append(row.id)
    for lease in client.queue.expired(now) + client.queue.leases_of_host():
        if _reap_lease(client, lease.run_id, lease.attempt, expired=lease.expires_at <= now):
            reaped.append(lease.run_id)
    return reaped


def _reap_running(client: "Client", row: RunRow, now: float) -> bool:
    try:
        attempt = client.folder(row.id).attempt(row.attempt)
    except NotFound:
        return False
    if row.host != host_name() or attempt.is_supervised():
        return False
    client.index.catch_up(row.id)  # it may have ended properly a moment ago
    if client.index.get(row.id).state != RunState.RUNNING:
        client.settle(row.id)
        return True
    if not attempt.journal(HOST).exists() and not _is_overdue(attempt, now):
        return False
    _write_end(client, row.id, attempt)
    return True


def _reap_lease(client: "Client", run_id: str, number: int, *, expired: bool) -> bool:
    """A run that was claimed: its attempt never began, or ended without the queue hearing of it."""
    attempt = client.folder(run_id).attempt(number)
    if attempt.is_supervised():
        return False
    began = attempt.journal(HOST).exists()
    if not began and not expired:
        return False
    client.index.catch_up(run_id)
    row = client.index.get(run_id)
    if began and row.state == RunState.RUNNING:
        _write_end(client, run_id, attempt)
    else:
        client.settle(run_id)
    return True


def _write_end(client: "Client", run_id: str, attempt: Attempt) -> None:
    ended = Ended(
        time_ns=time.time_ns(), state=RunState.INTERRUPTED, reason=_what_happened(attempt), attempt=attempt.number
    )
    append_event(attempt.run.edits, ended, run=run_id)
    client.index.catch_up(run_id)
    client.settle(run_id)


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
