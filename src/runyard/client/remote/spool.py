"""What this machine executed for a server and has not brought there yet.

A supervisor delivers while its run lives and for a while after. What is left then, because the server was away or the
supervisor was killed, lies in the home: whoever comes next brings it. An attempt whose supervisor is gone without a
word has its end told, so that its run can go on elsewhere.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runyard.client.leftovers import collect
from runyard.client.reaper import START_S
from runyard.client.remote.sending import send
from runyard.errors import RunyardError, ServerAway
from runyard.journal import HOST, Attempt, JournalWriter, is_untouched
from runyard.journal.events import Ended
from runyard.journal.reader import EventAt, read_journal

if TYPE_CHECKING:
    from runyard.client.remote.client import RemoteClient

_ARRIVED = "arrived"  # a file in the folder of an attempt of which the server has everything


@dataclass(frozen=True)
class Left:
    """What of an attempt is still on its way."""

    run_id: str
    attempt: int
    size_bytes: int
    is_executing: bool


def left(client: "RemoteClient") -> list[Left]:
    """The attempts that have not arrived whole. It asks the server how far each is.

    Raises:
        ServerAway: it cannot be reached.
    """
    return [
        Left(attempt.run.id, attempt.number, missing, attempt.is_supervised())
        for attempt in _attempts(client)
        if (missing := sum(size - known for _, known, size in _streams(client, attempt)))
    ]


def sync(client: "RemoteClient", progress: Callable[[int, int], None] | None = None) -> list[str]:
    """Bring what lies here of attempts that nobody watches, and the files that wait.

    Args:
        progress: called with how many attempts are done, and of how many.

    Returns:
        The ids of runs whose end was told because their supervisor was gone.

    Raises:
        ServerAway: it cannot be reached; what was brought so far is there.
    """
    ended = []
    attempts = [attempt for attempt in _attempts(client) if not attempt.is_supervised()]
    for number, attempt in enumerate(attempts, start=1):
        try:
            if _bring(client, attempt):
                ended.append(attempt.run.id)
        except ServerAway:
            raise
        except RunyardError:  # this run is refused, or damaged: no reason to leave the others here
            pass
        if progress:
            progress(number, len(attempts))
    while not client.artifacts.bring():
        pass
    return ended


def _attempts(client: "RemoteClient") -> Iterator[Attempt]:
    for folder in client.home.run_folders():
        for attempt in folder.attempts():
            if not (attempt.path / _ARRIVED).exists():
                yield attempt


def _bring(client: "RemoteClient", attempt: Attempt) -> bool:
    """Bring all of an attempt; whether its end had to be told."""
    has_begun = attempt.journal(HOST).exists()
    if not has_begun and _age_s(attempt.path) < START_S:
        return False
    with _watched_by_us(attempt) as journal:
        if journal is None:  # a supervisor, or another command that brings it
            return False
        if has_begun and is_untouched(attempt.journal(HOST)) and _age_s(attempt.journal(HOST)) < START_S:
            return False  # its supervisor is just about to take the lock
        if has_begun:
            collect(attempt, journal, client.artifacts)
        _bring_streams(client, attempt)
        is_ended = _has_ended(attempt)
        if is_ended:
            client.attempt_ended(attempt.run.id)
        else:
            client.give_up(attempt.run.id, attempt.number, "its supervisor was ended from outside")
        (attempt.path / _ARRIVED).touch()
    return not is_ended


def _bring_streams(client: "RemoteClient", attempt: Attempt) -> None:
    for stream, known, _ in _streams(client, attempt):
        send(client.deliver, attempt, stream, known)


def _streams(client: "RemoteClient", attempt: Attempt) -> list[tuple[str, int, int]]:
    """Of each stream that has not arrived whole: its name, what the server has, and what is here, in bytes."""
    found = []
    for stream in attempt.streams():
        size = attempt.journal(stream).stat().st_size
        known = client.offset(attempt.run.id, attempt.number, stream)
        if known < size:
            found.append((stream, known, size))
    return found


def _age_s(path: Path) -> float:
    return time.time() - os.stat(path).st_mtime


def _has_ended(attempt: Attempt) -> bool:
    if not attempt.journal(HOST).exists():
        return False
    items, _ = read_journal(attempt.journal(HOST))
    return any(isinstance(item, EventAt) and isinstance(item.event, Ended) for item in items)


@contextmanager
def _watched_by_us(attempt: Attempt) -> Iterator[JournalWriter | None]:
    """Hold the lock that a supervisor would hold; gives the open host.journal, or None if somebody else has it."""
    journal = JournalWriter(attempt.journal(HOST), run=attempt.run.id, attempt=attempt.number, stream=HOST)
    try:
        try:
            fcntl.flock(journal.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield journal
    finally:
        journal.close()
