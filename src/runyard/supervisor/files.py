"""Moving the files that training code logged into the artifact store.

A file is first renamed to a place of its own: training code may log another one under the same name at
any moment, and that one must not be taken for the one that was stored.
"""

import os
import shutil
import time
from pathlib import Path

from runyard.journal import Attempt, JournalWriter
from runyard.journal.events import ArtifactStored, FileLogged
from runyard.supervisor.delivery import Delivery

SMALL_BYTES = 64 << 20  # larger ones take seconds and wait until the training has ended


class LoggedFiles:
    """The files of one attempt on their way into the store."""

    def __init__(self, attempt: Attempt, *, journal: JournalWriter, delivery: Delivery) -> None:
        self._folder = attempt.files
        self._moving = attempt.moving
        self._journal = journal
        self._delivery = delivery
        self._waiting: list[FileLogged] = []
        self._taken: list[tuple[Path, FileLogged]] = []  # renamed, but not stored yet

    def add(self, event: FileLogged) -> None:
        """A file was logged. A name that leads elsewhere (the journal may come from anybody) is passed over."""
        if event.name and ".." not in event.name.split("/") and event.name[0] != "/" and "\0" not in event.name:
            self._waiting.append(event)

    def move(self, *, largest_bytes: int | None = SMALL_BYTES) -> bool:
        """Store what waits, except larger files (None: all of them); whether nothing waits any more."""
        later = []
        for event in self._waiting:
            path = self._folder / event.name
            if largest_bytes is not None and _size(path) > largest_bytes:
                later.append(event)
            else:
                self._take(path, event)
        self._waiting = later
        self._taken = [(path, event) for path, event in self._taken if not self._store(path, event)]
        if not self._taken:
            _remove_empty(self._moving)
        return not self._waiting and not self._taken

    def add_forgotten(self) -> None:
        """At the end: files that lie there although nobody logged them; drafts, which have a dot in front, are not."""
        known = {event.name for event in self._waiting}
        for path in _files_below(self._folder):
            name = path.relative_to(self._folder).as_posix()
            if any(part.startswith(".") for part in name.split("/")):
                continue
            if name not in known and not any(name.startswith(f"{folder}/") for folder in known):
                self._waiting.append(FileLogged(time_ns=time.time_ns(), name=name))

    def finish(self) -> None:
        """Remove the empty folders; anything left is left."""
        _remove_empty(self._moving)
        _remove_empty(self._folder)

    def _take(self, path: Path, event: FileLogged) -> None:
        place = self._moving / str(time.time_ns()) / event.name
        try:
            place.parent.mkdir(parents=True)
            os.rename(path, place)
        except FileNotFoundError:
            return  # logged twice before we came: the first event took it
        except OSError:
            place = path  # a full disk may refuse even a new folder; store it from where it is
        self._taken.append((place, event))

    def _store(self, path: Path, event: FileLogged) -> bool:
        files = _files_below(path) if path.is_dir() else [path]
        for file in files:
            name = event.name if file == path else f"{event.name}/{file.relative_to(path).as_posix()}"
            size = _size(file)
            sha256 = self._delivery.store_file(file, name=name)
            if not sha256:
                return False
            self._journal.event(
                ArtifactStored(
                    time_ns=time.time_ns(), name=name, sha256=sha256, size_bytes=size, kind=event.kind, meta=event.meta
                )
            )
            file.unlink()
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        return True


def _files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _size(path: Path) -> int:
    try:
        if path.is_dir():
            return sum(os.stat(file).st_size for file in _files_below(path))
        return os.stat(path).st_size
    except OSError:
        return 0


def _remove_empty(folder: Path) -> None:
    for path, _, _ in os.walk(folder, topdown=False):
        try:
            os.rmdir(path)
        except OSError:
            pass  # not empty: somebody's file is worth more than our order
