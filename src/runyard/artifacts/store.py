"""Files stored once, under the SHA-256 of their content.

<root>/<first 2 hex digits>/<sha256>

A file appears under its name complete or not at all: it is written beside it, synced, then renamed.
So many processes may store the same content at once, and a name that exists can be trusted.
"""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from runyard.errors import ConflictError, NotFound

_PIECE_BYTES = 1 << 20
_DRAFT = ".draft-"
_UPLOAD = ".upload-"


class Uploaded(NamedTuple):
    """How much of a content has come in parts: the next one begins at byte `offset`."""

    offset: int
    is_stored: bool


class ArtifactStore:
    """A folder of files by content. Safe with many processes."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put_file(self, path: Path) -> str:
        """Store a copy of the file's content; return its SHA-256 as 64 hex digits.

        Raises:
            OSError: it cannot be read, or there is no room.
        """
        with path.open("rb") as source:
            return self._put(iter(lambda: source.read(_PIECE_BYTES), b""))

    def put_bytes(self, data: bytes) -> str:
        """Store the bytes; return their SHA-256 as 64 hex digits."""
        sha256 = hashlib.sha256(data).hexdigest()
        return sha256 if self.has(sha256) else self._put(iter((data,)))

    def has(self, sha256: str) -> bool:
        """Whether the content is here."""
        return self._place(sha256).is_file()

    def missing(self, contents: list[str]) -> list[str]:
        """Those of the contents that are not here.

        Raises:
            NotFound: one of them is no SHA-256.
        """
        return [sha256 for sha256 in contents if not self.has(sha256)]

    def path(self, sha256: str) -> Path:
        """Where the content lies, for reading only.

        Raises:
            NotFound: it is not here, or the text is no SHA-256.
        """
        place = self._place(sha256)
        if not place.is_file():
            raise NotFound(f"The file {sha256[:12]}… is not in {self.root}. It was deleted, or never arrived there.")
        return place

    def check(self) -> None:
        """Make sure that the place can be used.

        Raises:
            UsageError: it cannot.
        """

    def is_elsewhere(self, sha256: str) -> bool:
        """Whether it has to be fetched before there is a path of it."""
        return False

    def stream(self, sha256: str) -> tuple[int, Iterator[bytes]]:
        """The size in bytes of a content, and all of it piece by piece.

        Raises:
            NotFound: it is not here.
        """
        path = self.path(sha256)

        def pieces() -> Iterator[bytes]:
            with path.open("rb") as file:
                yield from iter(lambda: file.read(_PIECE_BYTES), b"")

        return path.stat().st_size, pieces()

    def open(self, sha256: str) -> BinaryIO:
        """Open the content for reading.

        Raises:
            NotFound: it is not here.
        """
        return self.path(sha256).open("rb")

    def size(self, sha256: str) -> int:
        """Size in bytes.

        Raises:
            NotFound: it is not here.
        """
        return self.path(sha256).stat().st_size

    def occupied(self, sha256: str) -> int:
        """The bytes that deleting it makes free.

        Raises:
            NotFound: it is not here.
        """
        return self.path(sha256).stat().st_blocks * 512

    def sizes(self) -> dict[str, int]:
        """The size in bytes of everything here, by SHA-256."""
        return {file.name: file.stat().st_size for file in self.files()}

    def digest(self, sha256: str) -> str:
        """The SHA-256 of the content as it is: another one if the disk changed it.

        Raises:
            NotFound: it is not here.
            OSError: it cannot be read.
        """
        with self.path(sha256).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def set_aside(self, sha256: str) -> None:
        """Put a damaged content beside its place, as `.damaged`, so that a good one may come there."""
        place = self._place(sha256)
        os.rename(place, place.with_name(f"{sha256}.damaged"))

    def adopt(self, file: Path, sha256: str) -> None:
        """Move a whole file, whose content has been checked, to its place."""
        place = self._place(sha256)
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, place)

    def files(self) -> Iterator[os.DirEntry[str]]:
        """Everything here, in no order."""
        try:
            folders = [name for name in os.listdir(self.root) if len(name) == 2]
        except FileNotFoundError:
            return
        for folder in folders:
            with os.scandir(self.root / folder) as inside:
                yield from (each for each in inside if is_sha256(each.name))

    def delete(self, sha256: str) -> bool:
        """Remove the content; whether it was here."""
        try:
            self._place(sha256).unlink()
        except FileNotFoundError:
            return False
        return True

    def uploaded(self, sha256: str) -> Uploaded:
        """How much of a content has come.

        Raises:
            NotFound: the text is no SHA-256.
        """
        if self.has(sha256):
            return Uploaded(self.size(sha256), is_stored=True)
        try:
            return Uploaded(self._upload(sha256).stat().st_size, is_stored=False)
        except FileNotFoundError:
            return Uploaded(0, is_stored=False)

    def upload(self, sha256: str, offset: int, size: int, part: bytes) -> Uploaded:
        """Take the part of a content of `size` bytes that begins at `offset`; with the last part it is stored.

        A part that begins elsewhere than where the last one ended is passed over: the answer says where to go on.

        Raises:
            ConflictError: the whole has another SHA-256, or is longer than `size`; it has to come again.
            OSError: there is no room.
        """
        if self.has(sha256):
            return Uploaded(self.size(sha256), is_stored=True)
        self.root.mkdir(parents=True, exist_ok=True)
        draft = self._upload(sha256)
        with open(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            known = file.seek(0, os.SEEK_END)
            if offset != known:
                return Uploaded(known, is_stored=False)
            if known + len(part) > size:
                raise ConflictError(
                    f"{known + len(part):,} bytes of {sha256[:12]}… have come, and only {size:,} were announced."
                )
            try:
                file.write(part)
                file.flush()
            except OSError:
                os.ftruncate(file.fileno(), known)
                raise
            if known + len(part) < size:
                return Uploaded(known + len(part), is_stored=False)
            file.seek(0)
            found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != sha256:
                draft.unlink()
                raise ConflictError(
                    f"What came as {sha256[:12]}… is {found[:12]}…: it was damaged on its way, or changed."
                )
            os.fchmod(file.fileno(), 0o444)
            os.fsync(file.fileno())
            self._publish(draft, sha256)
        return Uploaded(size, is_stored=True)

    def drop_drafts(self) -> None:
        """Delete what has come of contents in parts so far: nobody is going to send the rest."""
        for draft in self.root.glob(f"{_UPLOAD}*"):
            draft.unlink(missing_ok=True)

    def _upload(self, sha256: str) -> Path:
        return self.root / f"{_UPLOAD}{self._place(sha256).name}"

    def draft(self) -> "Draft":
        """A content to be written piece by piece.

        Raises:
            OSError: there is no room.
        """
        return Draft(self)

    def _put(self, pieces: Iterator[bytes]) -> str:
        draft = Draft(self)
        try:
            for piece in pieces:
                draft.write(piece)
            return draft.commit()
        finally:
            draft.discard()

    def _publish(self, draft: Path, sha256: str) -> None:
        """Let a whole, checked and synced file be what is stored; the draft is gone then."""
        self.adopt(draft, sha256)

    def _place(self, sha256: str) -> Path:
        if not is_sha256(sha256):
            raise NotFound(f"'{sha256[:80]}' is no SHA-256 of 64 hex digits in lower case.")
        return self.root / sha256[:2] / sha256


class Draft:
    """A content that comes piece by piece; it is stored by `commit`, or nothing of it stays."""

    def __init__(self, store: ArtifactStore) -> None:
        store.root.mkdir(parents=True, exist_ok=True)
        descriptor, path = tempfile.mkstemp(prefix=_DRAFT, dir=store.root)
        self._path = Path(path)
        self._file = os.fdopen(descriptor, "wb")
        self._digest = hashlib.sha256()
        self._store = store
        self.size_bytes = 0

    def write(self, data: bytes) -> None:
        """Add a piece.

        Raises:
            OSError: there is no room.
        """
        self._digest.update(data)
        self._file.write(data)
        self.size_bytes += len(data)

    def commit(self) -> str:
        """Store it; return its SHA-256 as 64 hex digits.

        Raises:
            OSError: there is no room.
        """
        self._file.flush()
        os.fchmod(self._file.fileno(), 0o444)  # many runs share this one file; nobody may edit it in place
        os.fsync(self._file.fileno())
        self._file.close()
        self._store._publish(self._path, self._digest.hexdigest())
        return self._digest.hexdigest()

    def discard(self) -> None:
        """Forget it, unless it is stored."""
        self._file.close()
        self._path.unlink(missing_ok=True)


def is_sha256(text: str) -> bool:
    """Whether a text has the form of a SHA-256."""
    return len(text) == 64 and all(character in "0123456789abcdef" for character in text)
