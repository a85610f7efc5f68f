"""Copying a home while it is worked in.

Nothing is locked. Journals only grow and files by content never change, so the order alone makes the copy consistent:
first it is noted how long each journal is, then all files by content are copied, then the journals up to that length.
Whatever a copied journal names is therefore in the copy; what was written later comes with the next backup. A folder
in which something was moved meanwhile is looked at again.

A backup is brought up to date in place, by adding to it. Since each addition keeps to that order, a backup that is
killed leaves the one before usable, and the next goes on where it was. Only what the home has deleted for good is
deleted, and only after the new state is complete.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec

from runyard.artifacts import ArtifactStore
from runyard.client import trash
from runyard.client.care import kept_tables
from runyard.client.care.copying import (
    DRAFT,
    Entry,
    contents,
    copy_content,
    copy_entry,
    entries,
    is_same,
    run_ids,
    write_whole,
)
from runyard.client.care.marker import Marker, Places
from runyard.client.client import Client
from runyard.errors import ConflictError, NotFound, ServiceError, UsageError
from runyard.journal import Home
from runyard.journal.home import HOME_FORMAT

Progress = Callable[[int, int], None]  # bytes done, of how many

_ROUNDS = 5  # how often folders are looked at again in which files were moved meanwhile
_SPARE_BYTES = 64 << 20
_NOT_COPIED = ("home.json", "server.json", "restoring.json")
_UNFINISHED = "draft-"  # in front of the id of a run that is not whole in the backup yet


@dataclass(frozen=True, kw_only=True)
class Backup:
    """What a backup did.

    Attributes:
        copied_bytes: of the runs and files that were new.
        damaged: files by content of the home that are not what their name says; they were not copied.
        only_here: files by content that runs need, and that only the backup has.
        restless: runs in which files were moved all the time; the next backup brings what is missing.
        is_first: whether there was none before.
    """

    home: Path
    runs: int
    trashed: int
    artifacts: int
    copied_files: int
    copied_bytes: int
    damaged: list[str]
    only_here: list[str]
    restless: list[str]
    is_first: bool


def backup(client: Client, folder: Path, progress: Progress | None = None) -> Backup:
    """Bring the backup of a home in `folder` up to date, or make the first one.

    Args:
        progress: called with how many bytes are copied, and of how many.

    Raises:
        UsageError: the folder is no backup and not empty, or lies in the home itself.
        ConflictError: it is the backup of another home, or just being written.
        ServiceError: there is no room.
    """
    places = _prepared(client.home, folder)
    with places.locked(to_write=True):
        before = _begun(client.home, places)
        work = _Work(client, places, progress or (lambda done, total: None))
        work.copy()
        _copy_rest(client, places)
        os.sync()  # all of it, once: a marker must never be on the disk before what it stands for
        runs, trashed = work.counted()
        artifacts = len(contents(places.artifacts))
        marker = msgspec.structs.replace(
            before, completed_at=datetime.now(UTC), runs=runs, trashed=trashed, artifacts=artifacts
        )
        places.write_marker(marker)
        only_here = work.delete_what_is_gone()
        return Backup(
            home=client.home.path,
            runs=runs,
            trashed=trashed,
            artifacts=artifacts,
            copied_files=work.copied_files,
            copied_bytes=work.copied_bytes,
            damaged=work.damaged,
            only_here=only_here,
            restless=sorted(work.again),
            is_first=before.completed_at is None,
        )


def _prepared(home: Home, folder: Path) -> Places:
    places = Places(folder.absolute())
    if places.path.resolve().is_relative_to(home.path.resolve()):
        raise UsageError(f"{folder} lies in the home {home.path} itself. Choose a folder on another disk.")
    try:
        names = os.listdir(places.path)
    except FileNotFoundError:
        places.path.mkdir(parents=True, mode=0o700)  # runs hold data of customers
        return places
    except NotADirectoryError:
        raise UsageError(f"{folder} is a file. Name a folder for the backup.") from None
    if names and not places.marker.exists() and set(names) - {"lock"}:
        raise UsageError(f"{folder} holds something, and it is no backup. Name a folder that is new or empty.")
    return places


def _begun(home: Home, places: Places) -> Marker:
    """Write that a backup is under way; what was complete stays so."""
    now = datetime.now(UTC)
    own = home.id
    if not places.marker.exists():
        marker = Marker(home=own, home_format=HOME_FORMAT, runyard=version("runyard"), begun_at=now)
    else:
        known = places.read_marker()
        if known.home != own:
            raise ConflictError(
                f"{places.path} is the backup of another home ({known.home[:20]}), not of {home.path} ({own}). "
                "Name a folder of its own."
            )
        marker = msgspec.structs.replace(known, runyard=version("runyard"), home_format=HOME_FORMAT, begun_at=now)
    places.write_marker(marker)
    return marker


def _copy_rest(client: Client, places: Places) -> None:
    """What is small: it is written anew. Accounts come last, so that no run is copied whose project was open still."""
    places.files.mkdir(exist_ok=True)
    wanted = set()
    for path in (*client.home.path.glob("*.json"), *client.home.path.glob("mlflow-*.journal")):
        if path.name not in _NOT_COPIED and not path.name.startswith(("submitting-", ".")):
            try:
                write_whole(places.files / path.name, path.read_bytes())
            except FileNotFoundError:
                continue
            wanted.add(path.name)
    for name in set(os.listdir(places.files)) - wanted:
        (places.files / name).unlink()
    write_whole(places.database, msgspec.json.encode(kept_tables.read(client.database)))


@dataclass
class _Run:
    """A run as it was when somebody looked: what is to be copied of it, and what the copy has too much."""

    id: str
    todo: list[Entry]
    too_much: list[str]


@dataclass
class _Work:
    """One backup on its way."""

    client: Client
    places: Places
    progress: Progress
    copied_files: int = 0
    copied_bytes: int = 0
    total_bytes: int = 0
    damaged: list[str] = field(default_factory=list)
    again: set[str] = field(default_factory=set)
    too_much: dict[str, list[str]] = field(default_factory=dict)

    def copy(self) -> None:
        """Copy all runs, in as many rounds as it takes."""
        self.again = self._ids() - self.client.home.submitting()
        for _ in range(_ROUNDS):
            looked_at = [self._look(run_id) for run_id in sorted(self.again)]
            runs = [run for run in looked_at if run is not None]
            new = self._new_contents()
            more = sum(entry.size_bytes for run in runs for entry in run.todo) + sum(new.values())
            self._require_room(more)
            self.total_bytes = self.copied_bytes + more
            self.progress(self.copied_bytes, self.total_bytes)
            self._copy_contents(new)
            self.again = {run.id for run in runs if not self._copy_run(run)}
            if not self.again:
                return

    def counted(self) -> tuple[int, int]:
        """How many runs the backup has, and how many in the trash."""
        return len(run_ids(self.places.runs)), len(run_ids(self.places.trash))

    def delete_what_is_gone(self) -> list[str]:
        """Delete what the home has deleted for good. Return what it should have, but has not."""
        there = self._ids()
        for folder in (self.places.runs, self.places.trash):
            for name in os.listdir(folder):
                if name.removeprefix(_UNFINISHED) not in there:
                    _delete_folder(folder / name)
        for run_id, names in self.too_much.items():
            for name in names:
                (self._copy_of(run_id) / name).unlink(missing_ok=True)
        only_here = set(contents(self.places.artifacts)) - set(self.client.artifacts.sizes())
        needed = self._needed(only_here)
        for sha256 in only_here - needed:
            (self.places.artifacts / sha256[:2] / sha256).unlink(missing_ok=True)
        return sorted(needed - set(self.damaged))

    def _ids(self) -> set[str]:
        """All runs of the home; one that is moved to the trash or back just now is found all the same."""
        home = self.client.home
        return run_ids(home.runs) | run_ids(home.trash) | run_ids(home.runs)

    def _look(self, run_id: str) -> _Run | None:
        folder = self._folder(run_id)
        if folder is None:
            return None
        found, copies = entries(folder), entries(self._copy_of(run_id))
        todo = [entry for name, entry in found.items() if not is_same(entry, copies.get(name))]
        todo.sort(key=lambda entry: (entry.is_journal, entry.name))  # a file that waits for the store before its event
        return _Run(run_id, todo, [name for name, copy in copies.items() if name not in found and not copy.is_journal])

    def _folder(self, run_id: str) -> Path | None:
        home = self.client.home
        places = (home.runs / run_id, home.trash / run_id, home.runs / run_id)
        return next((place for place in places if place.is_dir()), None)

    def _copy_of(self, run_id: str) -> Path:
        """Where the copy of a run is, or where it is being made."""
        for folder in (self.places.runs, self.places.trash):
            if (folder / run_id).is_dir():
                return folder / run_id
        return self.places.runs / f"{_UNFINISHED}{run_id}"

    def _new_contents(self) -> dict[str, int]:
        there = contents(self.places.artifacts)
        known = set(self.damaged)
        found = self.client.artifacts.sizes()
        # by size, too: a power cut may have left a copy that is empty
        return {sha256: size for sha256, size in found.items() if there.get(sha256) != size and sha256 not in known}

    def _copy_contents(self, new: dict[str, int]) -> None:
        for sha256 in new:
            inside = Path(sha256[:2]) / sha256
            try:
                is_right = copy_content(self.client.artifacts.path(sha256), self.places.artifacts / inside, self._count)
            except (FileNotFoundError, NotFound):  # deleted with the trash
                continue
            if is_right:
                self.copied_files += 1
            else:
                self.damaged.append(sha256)

    def _copy_run(self, run: _Run) -> bool:
        """Copy what is new of a run; False if something of it was moved meanwhile."""
        folder = self._folder(run.id)
        if folder is None:
            return True  # deleted for good
        copy = self._copy_of(run.id)
        is_whole = True
        copy.mkdir(parents=True, exist_ok=True)
        for entry in run.todo:
            try:
                copy_entry(folder / entry.name, copy / entry.name, entry, self._count)
                self.copied_files += 1
            except FileNotFoundError:
                is_whole = False
        if is_whole:
            self.too_much[run.id] = run.too_much
            place = (self.places.trash if folder.parent == self.client.home.trash else self.places.runs) / run.id
            if place != copy:
                os.rename(copy, place)
        return is_whole

    def _needed(self, candidates: set[str]) -> set[str]:
        """Those of the files by content that a run of the home refers to."""
        if not candidates:
            return set()
        index = self.client.index
        rows = index.find(None, trashed=None, limit=None)
        stores = (self.client.artifacts, ArtifactStore(self.places.artifacts))
        code = set().union(*(trash.code_of(store, rows) for store in stores))
        return (candidates - index.only_referenced_by([], also=candidates)) | (candidates & code)

    def _count(self, size: int) -> None:
        self.copied_bytes += size
        self.progress(self.copied_bytes, max(self.total_bytes, self.copied_bytes))

    def _require_room(self, needed: int) -> None:
        self.places.runs.mkdir(exist_ok=True)
        self.places.trash.mkdir(exist_ok=True)
        free = shutil.disk_usage(self.places.path).free
        if needed and needed + _SPARE_BYTES > free:
            raise ServiceError(
                f"The backup needs {needed:,} bytes more on the disk of {self.places.path}, {free:,} are free."
            )


def _delete_folder(folder: Path) -> None:
    gone = folder.with_name(f"{DRAFT}gone-{folder.name}")
    os.rename(folder, gone)
    shutil.rmtree(gone)
