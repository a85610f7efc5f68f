"""Deleting runs: first into the trash, whole; then for good, which frees the disk and says how much."""

import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runyard.artifacts import read_manifest
from runyard.errors import NotFound, RunFinished, RunyardError, UsageError
from runyard.hosts import user_name
from runyard.index import RunRow
from runyard.journal.events import Restored, Trashed
from runyard.records import RunState

if TYPE_CHECKING:
    from runyard.client.client import Client


@dataclass(frozen=True)
class Freed:
    """What emptying the trash gave back."""

    runs: int
    size_bytes: int


def put(client: "Client", run_ids: Sequence[str]) -> None:
    """Move runs into the trash.

    Raises:
        RunFinished: one of them still runs or waits; then none is moved.
    """
    for run_id in run_ids:
        row = client.index.get(run_id)
        if not RunState(row.state).is_ended:
            raise RunFinished(f"Run {run_id} ({row.name}) is {row.state}. Stop it first: runyard stop {run_id}")
    for run_id in run_ids:
        client.edit(run_id, Trashed(time_ns=time.time_ns(), by=user_name()))
        folder = client.home.run(run_id).path
        if folder.is_dir():  # a crash may have left a trashed run in its old place
            os.rename(folder, client.home.trash / run_id)


def restore(client: "Client", run_ids: Sequence[str]) -> None:
    """Bring runs back from the trash."""
    for run_id in run_ids:
        if not client.index.get(run_id).trashed:
            raise UsageError(f"Run {run_id} is not in the trash. `runyard trash` lists what is.")
    for run_id in run_ids:
        folder = client.home.trash / run_id
        if folder.is_dir():
            os.rename(folder, client.home.runs / run_id)
        client.edit(run_id, Restored(time_ns=time.time_ns(), by=user_name()))


def empty(client: "Client", progress: Callable[[int, int], None] | None = None) -> Freed:
    """Delete all runs of the trash, and the artifacts and code that no other run refers to."""
    rows = client.index.find(None, trashed=True, limit=None)
    ids = [row.id for row in rows]
    kept = _code_of(client, client.index.find(None, limit=None))
    candidates = _code_of(client, rows) - kept
    with client.database.transaction() as connection:
        orphans = client.index.only_referenced_by(ids, also=candidates, connection=connection) - kept
        client.index.remove(ids, connection=connection)
    size = sum(_delete_artifact(client, sha256) for sha256 in orphans)
    for done, run_id in enumerate(ids, start=1):
        for folder in (client.home.trash / run_id, client.home.runs / run_id):
            size += _delete_folder(folder)
        if progress:
            progress(done, len(ids))
    return Freed(runs=len(ids), size_bytes=size)


def _code_of(client: "Client", rows: Sequence[RunRow]) -> set[str]:
    """The artifacts that hold the code of these runs: manifests, the files they name, and diffs."""
    snapshots = {row.code.snapshot for row in rows if row.code.snapshot}
    needed = snapshots | {row.code.diff for row in rows if row.code.diff}
    for snapshot in snapshots:
        try:
            manifest = read_manifest(snapshot, client.artifacts)
        except RunyardError:  # gone or damaged already: then it protects nothing
            continue
        needed |= {entry.sha256 for entry in manifest.files.values() if entry.sha256}
    return needed


def _delete_artifact(client: "Client", sha256: str) -> int:
    size = _delete_folder(client.home.code / sha256)  # if it is a snapshot that was laid out
    try:
        size += client.artifacts.size(sha256)
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
