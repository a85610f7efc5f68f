"""From a backup to a home again.

The home is marked as unfinished from the first byte to the last, so that nobody works in half of it, and a restore
that was killed is gone on with by the same command. What ran when the backup was made has ended since, and the home
says so.
"""

import os
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from runyard.client import reaper
from runyard.client.care import kept_tables
from runyard.client.care.copying import contents, copy_content, copy_entry, entries, is_same, run_ids, write_whole
from runyard.client.care.kept_tables import KeptTables
from runyard.client.care.marker import Marker, Places
from runyard.client.client import Client
from runyard.database import Database
from runyard.errors import FormatUnknown, RunyardError, ServiceError, UsageError
from runyard.journal import Home, RunFolder
from runyard.journal.home import HOME_FORMAT
from runyard.journal.reader import repair

Progress = Callable[[int, int], None]  # bytes done, of how many

_SPARE_BYTES = 64 << 20
_ENDED = "it ran when the backup was made"


@dataclass(frozen=True, kw_only=True)
class Restored:
    """What was found in a backup, and is a home now.

    Attributes:
        as_of: when the backup was complete.
        is_broken_off: a later backup was begun and did not come to its end: a part of what is newer is here, too.
        ended: runs that were running, and whose end was written down; queued ones go on.
        damaged: files by content that are not what their name says; they were left out.
    """

    home: Path
    as_of: datetime
    is_broken_off: bool
    runs: int
    trashed: int
    artifacts: int
    users: int
    ended: list[str]
    damaged: list[str]


class _Unfinished(msgspec.Struct, frozen=True):
    """The content of restoring.json: of which home, and which backup."""

    home: str
    backup: str


def restore(folder: Path, home: Path, *, database: str | None = None, progress: Progress | None = None) -> Restored:
    """Make a home of the backup in `folder`.

    Args:
        home: a folder that is new or empty, or in which this very restore was broken off.
        database: the URL of its database; else a file in the home.
        progress: called with how many bytes are copied, and of how many.

    Raises:
        UsageError: there is no complete backup, or the home or the database is not empty.
        FormatUnknown: another version of Runyard made the backup.
        ConflictError: the backup is just being written.
        ServiceError: there is no room.
    """
    places = Places(folder.absolute())
    marker = places.read_marker()
    completed_at = _require_usable(places, marker)
    with places.locked(to_write=False):
        kept = _kept(places)
        place = Home(home.expanduser().absolute())
        ours = _Unfinished(marker.home, str(places.path))
        if not _is_begun(place, ours) and database is not None:
            _require_empty(database)
        _prepare(place, ours)
        damaged = _copy(places, place, progress or (lambda done, total: None))
        with closing(Client(place, database=database)) as client:
            client.reindex()
            kept_tables.write(client.database, kept)
            ended = reaper.end_all(client, _ENDED)
            for run_id in ended:
                _cut_tails(client.folder(run_id))
            restored = Restored(
                home=place.path,
                as_of=completed_at,
                is_broken_off=marker.begun_at > completed_at,
                runs=client.index.count(),
                trashed=client.index.count(trashed=True),
                artifacts=len(contents(place.artifacts)),
                users=kept.users,
                ended=ended,
                damaged=damaged,
            )
        if database is not None:
            place.name_database(database)
        os.sync()
        place.restoring.unlink()
    return restored


def _require_usable(places: Places, marker: Marker) -> datetime:
    if marker.home_format != HOME_FORMAT:
        raise FormatUnknown(
            f"{places.path} is the backup of a home of format {marker.home_format}; this Runyard knows format "
            f"{HOME_FORMAT}. Install the version that made it: {marker.runyard}."
        )
    if marker.completed_at is None:
        raise UsageError(
            f"The backup {places.path} was begun at {marker.begun_at:%Y-%m-%d %H:%M} UTC and never completed. "
            "`runyard backup` goes on with it where the home is still there."
        )
    return marker.completed_at


def _kept(places: Places) -> KeptTables:
    try:
        kept = msgspec.json.decode(places.database.read_bytes(), type=KeptTables)
    except FileNotFoundError:
        raise UsageError(f"{places.path} is no intact backup: {places.database.name} is missing.") from None
    except msgspec.MsgspecError as problem:
        raise UsageError(f"{places.database} cannot be read: {problem}. The backup is damaged there.") from None
    kept_tables.check(kept)
    return kept


def _is_begun(home: Home, ours: _Unfinished) -> bool:
    """Whether this restore was begun before; else there must be nothing."""
    try:
        names = os.listdir(home.path)
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        raise UsageError(f"{home.path} is a file. Name a folder for the home.") from None
    if names and _unfinished(home) != ours:
        raise UsageError(f"{home.path} is not empty; nothing was restored. Name a folder that is new or empty.")
    return bool(names)


def _require_empty(url: str) -> None:
    database = Database.open(url)
    try:
        if kept_tables.is_in_use(database):
            raise UsageError("The database holds runs or accounts already; nothing was restored. Name an empty one.")
    finally:
        database.dispose()


def _prepare(home: Home, ours: _Unfinished) -> None:
    home.path.mkdir(parents=True, mode=0o700, exist_ok=True)
    write_whole(home.restoring, msgspec.json.encode(ours) + b"\n")
    write_whole(home.marker, msgspec.json.encode({"format": HOME_FORMAT, "id": ours.home}) + b"\n")
    for folder in (home.runs, home.trash, home.artifacts, home.code):
        folder.mkdir(exist_ok=True)


def _unfinished(home: Home) -> _Unfinished | None:
    try:
        return msgspec.json.decode(home.restoring.read_bytes(), type=_Unfinished)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def _copy(places: Places, home: Home, progress: Progress) -> list[str]:
    """Copy what is not there yet; return the files by content that are damaged."""
    there = contents(home.artifacts)
    new = {sha256: size for sha256, size in contents(places.artifacts).items() if there.get(sha256) != size}
    files = [(places.files / name, home.path / name, entry) for name, entry in entries(places.files).items()]
    files += [
        (source / entry.name, target / entry.name, entry)
        for source, target in _folders(places, home)
        for known in [entries(target)]
        for entry in entries(source).values()
        if not is_same(entry, known.get(entry.name))
    ]
    total = sum(new.values()) + sum(entry.size_bytes for _, _, entry in files)
    free = shutil.disk_usage(home.path).free
    if total + _SPARE_BYTES > free:
        raise ServiceError(f"The backup needs {total:,} bytes on the disk of {home.path}, {free:,} are free.")
    done = 0

    def count(size: int) -> None:
        nonlocal done
        done += size
        progress(done, max(total, done))

    damaged = []
    for sha256 in new:
        inside = Path(sha256[:2]) / sha256
        if not copy_content(places.artifacts / inside, home.artifacts / inside, count):
            damaged.append(sha256)
    for source, target, entry in files:
        copy_entry(source, target, entry, count)
    return damaged


def _cut_tails(folder: RunFolder) -> None:
    """A journal that grew while it was copied may end in the middle of a record."""
    for attempt in folder.attempts():
        for stream in attempt.streams():
            try:
                repair(attempt.journal(stream))
            except RunyardError:  # it was damaged in the home already; `runyard verify` names it
                continue


def _folders(places: Places, home: Home) -> list[tuple[Path, Path]]:
    """Where runs lie, and where to they go."""
    runs = [(places.runs / name, home.runs / name) for name in sorted(run_ids(places.runs))]
    trashed = [(places.trash / name, home.trash / name) for name in sorted(run_ids(places.trash))]
    return [*runs, *trashed]
