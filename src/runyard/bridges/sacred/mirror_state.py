"""What a mirror remembers between two looks, and over a restart: which document is which run, and how far it is.

One small file a database in `<home>/mirrors/`. It may be deleted: a mirror finds its documents again by the run's id in
them. Only that somebody deleted one in Omniboard would be forgotten, and it would come back.
"""

import fcntl
import hashlib
import os
from pathlib import Path
from typing import BinaryIO

import msgspec

from runyard.errors import ConflictError
from runyard.journal import Home


class MirroredMetric(msgspec.Struct, omit_defaults=True):
    """How many points of a metric were told, and where: the id of its document, 24 hex digits."""

    id: str
    points: int = 0
    stored: int = 0  # fewer than `points` once it is thinned
    attempt: int = 0


class Mirrored(msgspec.Struct, omit_defaults=True):
    """One run there.

    Attributes:
        id: of its document.
        seen: what of the run the document was made from; another one of it means that it has changed.
        tags: those that both sides had last, and `note` likewise.
        files: file id by the name and SHA-256 of the file, in the order in which they came.
        is_gone: somebody deleted it there, and it stays so.
    """

    id: int
    seen: str = ""
    tags: list[str] = []
    note: str = ""
    metrics: dict[str, MirroredMetric] = {}
    files: dict[str, str] = {}
    is_gone: bool = False


class MirrorState:
    """All runs of one mirror, by our ids."""

    def __init__(self, home: Home, place: str) -> None:
        """Open it for a database, and keep others out.

        Raises:
            ConflictError: another process mirrors this home there.
            OSError: the home cannot be written.
        """
        name = hashlib.sha256(place.encode()).hexdigest()[:16]
        folder = home.path / "mirrors"
        folder.mkdir(mode=0o700, exist_ok=True)
        self._path = folder / f"{name}.json"
        self._lock = _locked(folder / f"{name}.lock", place)
        self.runs: dict[str, Mirrored] = {}
        self._kept = b""
        try:
            self._kept = self._path.read_bytes()
            self.runs = msgspec.json.decode(self._kept, type=dict[str, Mirrored])
        except (FileNotFoundError, msgspec.MsgspecError):
            pass  # new, or cut by a full disk: the documents tell which runs they are

    def save(self) -> None:
        """Keep it, if anything is new."""
        data = msgspec.json.encode(self.runs)
        if data != self._kept:
            draft = self._path.with_suffix(".draft")
            draft.write_bytes(data)
            os.replace(draft, self._path)
            self._kept = data

    def close(self) -> None:
        """Let others in."""
        self._lock.close()


def _locked(path: Path, place: str) -> BinaryIO:
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise ConflictError(f"Another `runyard mirror` brings the runs of this home to {place} already.") from None
    return file
