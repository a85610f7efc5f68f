"""Whole runs between the home of this machine and a team's server, in both directions.

What travels are the journals, byte by byte, and the files by content that they and the code need; only what is missing
there, so that doing it again costs nothing, and one that was broken off is gone on with. Edits do not travel as they
are, since each side keeps its own: names, tags and notes are repeated there, by whoever carries the run. The last
attempt goes first: so the run is seldom seen there as one that waits, and never claimed by a worker.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from runyard.client import intake, travel
from runyard.client.client import Client
from runyard.client.remote.artifacts import fetch, send_part
from runyard.client.remote.client import RemoteClient
from runyard.client.remote.sending import Deliver, send
from runyard.errors import ConflictError, JournalDamaged, NotFound
from runyard.index import RunRow
from runyard.journal import HOST, Attempt, RunFolder
from runyard.journal.events import Ended, StopRequested
from runyard.journal.pieces import Receipt
from runyard.journal.reader import EventAt, read_journal
from runyard.records import RunSpec, RunState

_AT_ONCE = 1000  # names of files in one question to the server


@dataclass(frozen=True, kw_only=True)
class Carried:
    """What became of a run.

    Attributes:
        is_new: whether it was not there before.
        sent_bytes: of its journals.
        files: how many files by content it has.
        state: its state there, which differs where only edits here told how it ended.
    """

    run_id: str
    name: str
    is_new: bool
    sent_bytes: int
    files: int
    state: RunState


def push(local: Client, server: RemoteClient, run_id: str) -> Carried:
    """Bring a run of a home of this machine to the server.

    Raises:
        ConflictError: it has not ended, or the server has another run of this id.
        NotFound: a file that it needs is gone here.
        ServerAway: the server cannot be reached; what was brought so far is there.
    """
    row = _require_ended(local.index.get(run_id))
    spec, folder = local.spec(run_id), local.folder(run_id)
    files = _Files(local, server)
    needed = _needed(spec, folder, local.artifacts.path)
    files.bring(needed)
    known = server.spec_there(run_id) if server.index.known([run_id]) else None
    return _carry(row, spec, folder, server, known, server.deliver, len(needed))


def pull(server: RemoteClient, local: Client, run_id: str) -> Carried:
    """Bring a run of the server into a home of this machine.

    Raises:
        ConflictError: it has not ended, or the home has another run of this id.
        NotFound: a file that it needs is gone there.
        ServerAway: the server cannot be reached; what was brought so far is here.
    """
    row = _require_ended(server.index.get(run_id))
    spec, folder = server.spec_there(run_id), server.folder(run_id)
    files = _Files(local, server)
    needed = _needed(spec, folder, files.path)
    files.fetch(needed)
    known = local.spec(run_id) if local.index.known([run_id]) else None
    return _carry(row, spec, folder, local, known, lambda pieces: intake.take(local, pieces), len(needed))


def _require_ended(row: RunRow) -> RunRow:
    if row.trashed:
        raise ConflictError(f"Run {row.id} ({row.name}) is in the trash. Bring it back first.")
    if not row.state.is_ended:
        raise ConflictError(f"Run {row.id} ({row.name}) is {row.state}; it can travel once it has ended.")
    return row


class _Files:
    """The files of a home, in its folder or its bucket, and those of the server.

    Either of them may raise ServerAway; what has arrived by then need not travel again.
    """

    def __init__(self, local: Client, server: RemoteClient) -> None:
        self._here = local.artifacts
        self._server = server

    def bring(self, contents: list[str]) -> None:
        """Send what the server lacks.

        Raises:
            NotFound: one of them is neither here nor there.
        """
        for start in range(0, len(contents), _AT_ONCE):
            for sha256 in self._server.artifacts.missing(contents[start : start + _AT_ONCE]):
                path = self._here.path(sha256)
                while not send_part(path, sha256, self._server.transport):
                    pass

    def fetch(self, contents: list[str]) -> None:
        """Get what the home lacks.

        Raises:
            NotFound: one of them is neither here nor there.
        """
        for sha256 in self._here.missing(contents):
            fetch(sha256, self._here.root, self._here.put_file, self._server.transport)

    def path(self, sha256: str) -> Path:
        """Where a file lies here; it is fetched if need be."""
        self.fetch([sha256])
        return self._here.path(sha256)


def _needed(spec: RunSpec, folder: RunFolder, path: Callable[[str], Path]) -> list[str]:
    def read(sha256: str) -> bytes:
        return path(sha256).read_bytes()

    return sorted(travel.stored_by_journals(folder) | travel.needed_by_code(spec, read))


def _carry(
    row: RunRow, spec: RunSpec, folder: RunFolder, target: Client, known: RunSpec | None, deliver: Deliver, files: int
) -> Carried:
    """Bring what is missing into `target`, where the files are already."""
    if known is None:
        target.announce([spec], into_queue=False)
    elif msgspec.structs.replace(known, user=spec.user) != spec:  # a server notes who brought it
        raise ConflictError(f"Another run has the id {spec.id} there; run {row.name} was left here.")
    sent = sum(_deliver(target, deliver, *each) for each in _streams(folder))
    _tell_ends(row, folder, target)
    _tell_words(row, spec, target, is_new=known is None)
    state = target.index.get(row.id).state
    return Carried(
        run_id=row.id, name=row.name, is_new=known is None, sent_bytes=sent, files=files, state=RunState(state)
    )


def _streams(folder: RunFolder) -> Iterator[tuple[Attempt, str]]:
    """The latest attempt first, and of each the journal that tells how it ended."""
    for attempt in reversed(folder.attempts()):
        for stream in sorted(attempt.streams(), key=lambda name: (name != HOST, name)):
            yield attempt, stream


def _deliver(target: Client, deliver: Deliver, attempt: Attempt, stream: str) -> int:
    """Bring what is missing of a journal; return how many bytes that were. A torn tail stays where it is."""
    run_id, path = attempt.run.id, attempt.journal(stream)
    began = target.offset(run_id, attempt.number, stream)
    last = send(deliver, attempt, stream, began)
    if last.problem:
        raise _refusal(last, path)
    return last.offset - began


def _refusal(receipt: Receipt, path: Path) -> Exception:
    kinds = {kind.__name__: kind for kind in (ConflictError, NotFound)}
    return kinds.get(receipt.kind, JournalDamaged)(f"{path} was not taken: {receipt.problem}")


def _tell_ends(row: RunRow, folder: RunFolder, target: Client) -> None:
    """Repeat how attempts ended that only the edits tell, and that the run was stopped while it waited.

    Older attempts come first, and a stop before the end of the last one: else the run would wait for a worker there.
    """
    edits = _edits(folder)
    reaped = {event.attempt: event.reason for event in edits if isinstance(event, Ended)}
    stops = [event.why for event in edits if isinstance(event, StopRequested)]
    latest = target.index.get(row.id).attempt
    for attempt in sorted(number for number in reaped if number < latest):
        target.give_up(row.id, attempt, reaped[attempt])
    if latest in reaped and target.index.get(row.id).state == RunState.RUNNING:
        if stops:
            target.request_stop(row.id, why=stops[-1])
        target.give_up(row.id, latest, reaped[latest])
    if not RunState(target.index.get(row.id).state).is_ended:  # it never began, or was cancelled while it waited
        target.request_stop(row.id, why=stops[-1] if stops else row.reason)


def _edits(folder: RunFolder) -> list[object]:
    if not folder.edits.exists():
        return []
    return [item.event for item in read_journal(folder.edits)[0] if isinstance(item, EventAt)]


def _tell_words(row: RunRow, spec: RunSpec, target: Client, *, is_new: bool) -> None:
    """Repeat name, tags and note. What somebody wrote there stays: only what is as it was at first is replaced."""
    there = target.index.get(row.id)
    if row.name != there.name and there.name == spec.name:
        target.rename(row.id, row.name)
    if row.note != there.note and there.note in ("", spec.note):
        target.note(row.id, row.note)
    add = sorted(set(row.tags) - set(there.tags))
    remove = sorted(set(there.tags) - set(row.tags)) if is_new else []
    if add or remove:
        target.tag(row.id, add=add, remove=remove)
