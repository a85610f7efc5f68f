"""Deleting runs: first into the trash, whole; then for good, which frees the disk and says how much."""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runyard.artifacts import ArtifactStore, read_manifest
from runyard.client import checkpoints
from runyard.database import lock_code, lock_runs
from runyard.errors import NotAllowed, NotFound, RunFinished, RunyardError, UsageError
from runyard.index import RunRow
from runyard.journal.events import Restored, Trashed
from runyard.records import RunState

if TYPE_CHECKING:
    from runyard.client.client import Client

_AT_ONCE = 500  # each run that is being deleted is locked, which takes a file descriptor


@dataclass(frozen=True)
class Freed:
    """What emptying the trash gave back."""

    runs: int
    size_bytes: int


def put(client: "Client", run_ids: Sequence[str]) -> None:
    """Move runs into the trash.

    Raises:
        RunFinished: one of them still runs or waits; then none is moved. Runs that another tracker's client made
            are nobody's here to stop.
    """
    for run_id in run_ids:
        row = client.index.get(run_id)
        if not RunState(row.state).is_ended and not row.source:
            raise RunFinished(f"Run {run_id} ({row.name}) is {row.state}. Stop it first: runyard stop {run_id}")
    for run_id in run_ids:
        with _locked(client.folder(run_id).path):
            client.edit(run_id, Trashed(time_ns=time.time_ns(), by=client.by))
            folder = client.home.run(run_id).path
            if folder.is_dir():  # a crash may have left a trashed run in its old place
                os.rename(folder, client.home.trash / run_id)


def restore(client: "Client", run_ids: Sequence[str]) -> None:
    """Bring runs back from the trash."""
    for run_id in run_ids:
        if not client.index.get(run_id).trashed:
            raise UsageError(f"Run {run_id} is not in the trash. `runyard trash` lists what is.")
    for run_id in run_ids:
        with _locked(client.folder(run_id).path):
            folder = client.home.trash / run_id
            if folder.is_dir():
                os.rename(folder, client.home.runs / run_id)
            client.edit(run_id, Restored(time_ns=time.time_ns(), by=client.by))


def empty(client: "Client", progress: Callable[[int, int], None] | None = None) -> Freed:
    """Delete all runs and checkpoints of the trash, and the artifacts and code that no other run refers to.

    The rows go after the artifacts and before the folders, so that whatever was broken off is finished next time.

    Raises:
        NotAllowed: the client sees a part of the projects only.
    """
    client.require_here("trash empty")
    if not client.index.scope.is_everything:  # what is hidden would look like what nobody needs
        raise NotAllowed("Only who sees all projects may empty the trash: it belongs to all of them.")
    ids = [row.id for row in client.index.find(None, trashed=True, limit=None)]
    size = _delete_left_folders(client)
    size += sum(_delete_folder(folder) for folder in checkpoints.in_trash(client).values())
    runs = 0
    for batch in range(0, len(ids), _AT_ONCE):
        with ExitStack() as locks:
            freed = _empty(client, [run_id for run_id in ids[batch : batch + _AT_ONCE] if _take(client, run_id, locks)])
        runs, size = runs + freed.runs, size + freed.size_bytes
        if progress:
            progress(min(batch + _AT_ONCE, len(ids)), len(ids))
    return Freed(runs=runs, size_bytes=size)


def _empty(client: "Client", asked: Sequence[str]) -> Freed:
    with client.database.transaction() as tx:
        lock_code(tx)  # nobody submits a run with this very code meanwhile
        lock_runs(tx, asked)
        rows = client.index.find(None, trashed=None, limit=None)
        wanted = set(asked)
        going = [row for row in rows if row.id in wanted and row.trashed]  # not those restored a moment ago
        ids = [row.id for row in going]
        kept = code_of(client.artifacts, [row for row in rows if row.id not in set(ids)])
        candidates = code_of(client.artifacts, going) - kept
        orphans = client.index.only_referenced_by(ids, also=candidates, connection=tx) - kept
        size = sum(_delete_artifact(client, sha256) for sha256 in orphans)
        client.index.remove(ids, connection=tx)
    places = (folder / run_id for run_id in ids for folder in (client.home.trash, client.home.runs))
    return Freed(runs=len(ids), size_bytes=size + sum(_delete_folder(place) for place in places))


def _delete_left_folders(client: "Client") -> int:
    """What is left of runs that were being deleted when the process was killed."""
    names = [name for name in os.listdir(client.home.trash) if name.isalnum()]
    left = set(names) - client.index.known(names)
    return sum(_delete_folder(client.home.trash / name) for name in left)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Nobody else moves or deletes the folder meanwhile."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _take(client: "Client", run_id: str, locks: ExitStack) -> bool:
    """Lock a run that is to be deleted; False if somebody else is just moving or deleting it."""
    try:
        fd = os.open(client.folder(run_id).path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except NotFound:
        return True  # a row without a folder: it goes, too
    except FileNotFoundError:
        return False
    locks.callback(os.close, fd)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def code_of(store: ArtifactStore, rows: Sequence[RunRow]) -> set[str]:
    """The artifacts that hold the code of these runs: manifests, the files they name, and diffs."""
    snapshots = {row.code.snapshot for row in rows if row.code.snapshot}
    needed = snapshots | {row.code.diff for row in rows if row.code.diff}
    for snapshot in snapshots:
        try:
            manifest = read_manifest(snapshot, store)
        except RunyardError:  # gone or damaged already: then it protects nothing
            continue
        needed |= {entry.sha256 for entry in manifest.files.values() if entry.sha256}
    return needed


def _delete_artifact(client: "Client", sha256: str) -> int:
    size = _delete_folder(client.home.code / sha256)  # if it is a snapshot that was laid out
    try:
        size += client.artifacts.occupied(sha256)
    except NotFound:
        return size
    client.artifacts.delete(sha256)
    return size


def _delete_folder(folder: Path) -> int:
    size = folder_size(folder)
    shutil.rmtree(folder, ignore_errors=True)
    return size


def folder_size(folder: Path) -> int:
    """Bytes that a folder takes on the disk."""
    total = 0
    for path, _, names in os.walk(folder):
        total += sum(os.lstat(os.path.join(path, name)).st_blocks * 512 for name in names)
    return total
