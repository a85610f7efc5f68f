"""Files that an attempt logged and that its supervisor, being killed, did not bring into the artifact store."""

import time
from pathlib import Path

from runyard.artifacts import ArtifactStore
from runyard.errors import FormatUnknown, JournalDamaged
from runyard.journal import HOST, Attempt, JournalWriter
from runyard.journal.events import ArtifactStored, FileLogged
from runyard.journal.reader import EventAt, read_journal, repair


def collect(attempt: Attempt, journal: JournalWriter, store: ArtifactStore) -> None:
    """Store what lies in the attempt's folder, and write down that it is stored.

    Args:
        journal: the host.journal of the attempt, locked by the caller; a torn tail of it is cut off.

    Raises:
        OSError: the disk did not take it.
    """
    waiting = attempt.left_files()
    if not waiting:
        return
    try:
        repair(attempt.journal(HOST))
    except (JournalDamaged, FormatUnknown):  # nobody could read what we wrote behind it: the files stay where they are
        return
    logged = _logged(attempt)
    for name, path in waiting:
        event = _announced(name, logged)
        size = path.stat().st_size
        stored = ArtifactStored(
            time_ns=time.time_ns(),
            name=name,
            sha256=store.put_file(path),
            size_bytes=size,
            kind=event.kind if event else "artifact",
            meta=event.meta if event else {},
        )
        journal.event(stored)
        if journal.is_blocked:  # the disk is full: the next command that looks tries it again
            raise OSError(f"{journal.path} cannot be written")
        path.unlink()
    attempt.remove_empty_folders()


def _logged(attempt: Attempt) -> dict[str, FileLogged]:
    """What the training said about its files, by name; the latest word counts."""
    logged: dict[str, FileLogged] = {}
    for stream in attempt.streams():
        for event in _events(attempt.journal(stream)):
            if isinstance(event, FileLogged):
                logged[event.name] = event
    return logged


def _events(journal: Path) -> list[object]:
    try:
        return [item.event for item in read_journal(journal)[0] if isinstance(item, EventAt)]
    except (JournalDamaged, FormatUnknown):
        return []


def _announced(name: str, logged: dict[str, FileLogged]) -> FileLogged | None:
    """The event of a file, or of the folder that it lies in."""
    parts = name.split("/")
    names = ("/".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((logged[each] for each in names if each in logged), None)
