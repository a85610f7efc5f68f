"""Checkpoints that other machines brought, so that a run which was cut off there can go on elsewhere.

<run>/checkpoints/.brought/<2 hex>/<sha256>    the files, by content, and the manifest that names them
<run>/checkpoints/.brought/latest.json         which manifest, and the attempt that wrote the checkpoints

Each run has a store of its own: a newer state takes the place of an older one, and what it does not name goes at once.
Cleaning and the trash find it where a run's checkpoints are.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from runyard.artifacts import ArtifactStore, read_manifest
from runyard.artifacts.store import Uploaded
from runyard.errors import ConflictError, ServiceError
from runyard.journal import MAIN, RunFolder

if TYPE_CHECKING:
    from runyard.client.client import Client

_LATEST = "latest.json"


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """The latest whole state: the SHA-256 of its manifest, and the attempt whose machine has it."""

    attempt: int
    manifest: str
    size_bytes: int


def latest(client: "Client", run_id: str) -> Brought | None:
    """What a run could resume from on any machine."""
    try:
        return msgspec.json.decode((_root(client.folder(run_id)) / _LATEST).read_bytes(), type=Brought)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def store(client: "Client", run_id: str) -> ArtifactStore:
    """The files of a run's checkpoints, by content."""
    return ArtifactStore(_root(client.folder(run_id)))


def uploaded(client: "Client", run_id: str, attempt: int, contents: list[str]) -> list[Uploaded]:
    """How much of each content is there.

    Raises:
        ConflictError: another attempt is under way.
    """
    _require_latest(client, run_id, attempt)
    kept = store(client, run_id)
    return [kept.uploaded(sha256) for sha256 in contents]


def upload(
    client: "Client", run_id: str, attempt: int, sha256: str, *, offset: int, size: int, part: bytes
) -> Uploaded:
    """Take a part of a content; see `ArtifactStore.upload`.

    Raises:
        ConflictError: another attempt is under way, or the content is not what its name says.
    """
    _require_latest(client, run_id, attempt)
    return store(client, run_id).upload(sha256, offset, size, part)


def keep(client: "Client", run_id: str, attempt: int, manifest: str) -> None:
    """Let a state whose files are all there be the latest; what only older ones had is deleted.

    Raises:
        ConflictError: another attempt is under way, or a file is missing.
    """
    _require_latest(client, run_id, attempt)
    kept = store(client, run_id)
    files = read_manifest(manifest, kept).files.values()
    named = {entry.sha256 for entry in files if entry.sha256}
    with _locked(kept.root):
        before = latest(client, run_id)
        if before is not None and before.attempt > attempt:
            raise _superseded(run_id, attempt, before.attempt)
        missing = kept.missing(sorted(named))
        if missing:
            raise ConflictError(f"{len(missing):,} files of these checkpoints of run {run_id} have not come.")
        size = sum(entry.size_bytes for entry in files)
        made = Brought(attempt=attempt, manifest=manifest, size_bytes=size)
        draft = kept.root / f"{_LATEST}.{os.getpid()}"
        draft.write_bytes(msgspec.json.encode(made))
        os.replace(draft, kept.root / _LATEST)
        for sha256 in set(kept.sizes()) - named - {manifest}:
            kept.delete(sha256)
        kept.drop_drafts()


def forget(folder: RunFolder) -> None:
    """A run is complete: its own machine keeps its checkpoints, and no other one needs them."""
    root = _root(folder)
    if root.is_dir():
        shutil.rmtree(root, ignore_errors=True)
        try:
            os.rmdir(folder.checkpoints)
        except OSError:
            pass  # it was executed here, too


def take_over(client: "Client", run_id: str, attempt: int) -> Iterator[None]:
    """Lay out what another machine brought for an attempt of this one, if that is newer than what is here."""
    folder = client.folder(run_id)
    found = latest(client, run_id)
    if found is not None and found.attempt > latest_here(folder, attempt):
        yield from put_in_place(store(client, run_id), found.manifest, folder)


def latest_here(folder: RunFolder, attempt: int) -> int:
    """The latest attempt before this one that trained in this folder; 0 if none did."""
    numbers = [
        each.number
        for each in folder.attempts()
        if each.number < attempt and not each.is_delivered and each.journal(MAIN).exists()
    ]
    return max(numbers, default=0)


def put_in_place(kept: ArtifactStore, manifest: str, folder: RunFolder) -> Iterator[None]:
    """Let the files of a state be the checkpoints of a run, all of them at once; in steps of a file each.

    Raises:
        NotFound: a file is missing.
        ServiceError: the manifest names paths outside of the folder.
    """
    draft = folder.path / ".checkpoints"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    for name, entry in read_manifest(manifest, kept).files.items():
        place = draft / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if not entry.link:
            shutil.copyfile(kept.path(entry.sha256), place)
        elif entry.link.startswith("/") or ".." in entry.link.split("/"):
            raise ServiceError(f"The checkpoints hold a link to {entry.link[:80]}, which leads out of their folder.")
        else:
            place.symlink_to(entry.link)
        yield
    if _root(folder).is_dir():
        os.rename(_root(folder), draft / _root(folder).name)
    shutil.rmtree(folder.checkpoints, ignore_errors=True)
    os.rename(draft, folder.checkpoints)


def _root(folder: RunFolder) -> Path:
    return folder.brought


def _require_latest(client: "Client", run_id: str, attempt: int) -> None:
    current = client.index.get(run_id).attempt
    if attempt < current:
        raise _superseded(run_id, attempt, current)
    if attempt > current:
        raise ConflictError(f"Attempt {attempt} of run {run_id} is not known here; its journal has to come first.")


def _superseded(run_id: str, attempt: int, current: int) -> ConflictError:
    return ConflictError(f"Attempt {current} of run {run_id} came after attempt {attempt}; its checkpoints count.")


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    fd = os.open(root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
