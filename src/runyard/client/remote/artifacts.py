"""Files by content, here and on the server.

What a run stores is stored here first, which needs no network, and marked to be brought to the server: in parts, so
that an outage costs one part. What is asked for and not here is fetched once, checked against its name, and kept.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from runyard.artifacts import ArtifactStore
from runyard.artifacts.store import Uploaded
from runyard.client.remote.transport import Transport, place
from runyard.errors import ServiceError

PART_BYTES = 4 << 20
_AT_ONCE = 1000


class RemoteArtifacts(ArtifactStore):
    """The store of a server, with a copy on this machine of all that passed through it.

    Args:
        root: where copies lie.
        waiting: a folder with one empty file for each content that has not arrived at the server.
    """

    def __init__(self, root: Path, waiting: Path, transport: Transport) -> None:
        super().__init__(root)
        self._waiting = waiting
        self._transport = transport

    def put_file(self, path: Path) -> str:
        return self._mark(super().put_file(path))

    def put_bytes(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        return self._mark(sha256 if super().has(sha256) else self._put(iter((data,))))

    def has(self, sha256: str) -> bool:
        return super().has(sha256) or not self.missing([sha256])

    def path(self, sha256: str) -> Path:
        if not super().has(sha256):
            self._fetch(sha256)
        return super().path(sha256)

    def waiting(self) -> list[str]:
        """What has not arrived at the server yet."""
        try:
            return sorted(os.listdir(self._waiting))
        except FileNotFoundError:
            return []

    def bring(self) -> bool:
        """Send one part of what waits; whether nothing waits any more.

        Raises:
            ServerAway: the server cannot be reached, or has no room.
        """
        waiting = self.waiting()
        if not waiting:
            return True
        missing = set(self.missing(waiting[:_AT_ONCE]))
        for sha256 in waiting[:_AT_ONCE]:
            if sha256 in missing and super().has(sha256):
                if self._send_part(sha256):
                    self._unmark(sha256)
                return len(waiting) == 1 and not self.waiting()
            self._unmark(sha256)  # it is there, or was deleted here
        return not self.waiting()

    def bring_these(self, contents: Iterable[str]) -> None:
        """Send all of these that the server lacks.

        Raises:
            NotFound: one of them is neither here nor there.
            ServerAway: the server cannot be reached, or has no room.
        """
        wanted = sorted(set(contents))
        for start in range(0, len(wanted), _AT_ONCE):
            for sha256 in self.missing(wanted[start : start + _AT_ONCE]):
                super().path(sha256)
                while not self._send_part(sha256):
                    pass
        for sha256 in wanted:
            self._unmark(sha256)

    def missing(self, contents: list[str]) -> list[str]:
        """Those of the contents that are not on the server."""
        return self._transport.tell("/calls/artifacts.missing", {"contents": contents}, list[str])

    def _send_part(self, sha256: str) -> bool:
        return send_part(super().path(sha256), sha256, self._transport)

    def _fetch(self, sha256: str) -> None:
        fetch(sha256, self.root, super().put_file, self._transport)

    def _mark(self, sha256: str) -> str:
        try:
            (self._waiting / sha256).touch()
        except FileNotFoundError:
            self._waiting.mkdir(parents=True, exist_ok=True)
            (self._waiting / sha256).touch()
        return sha256

    def _unmark(self, sha256: str) -> None:
        (self._waiting / sha256).unlink(missing_ok=True)


def send_part(path: Path, sha256: str, transport: Transport) -> bool:
    """Send what comes next of a content, which lies at `path`; whether the server has all of it now.

    Raises:
        ServerAway: the server cannot be reached, or has no room.
    """
    size = path.stat().st_size
    address = f"/artifacts/{place(sha256)}/parts"
    offset = transport.tell("/calls/artifacts.uploaded", {"sha256": sha256}, Uploaded).offset
    with path.open("rb") as file:
        file.seek(offset)
        part = file.read(PART_BYTES)
    answer = transport.request("PUT", address, body=part, params={"offset": offset, "size": size})
    return b'"is_stored":true' in answer


def fetch(sha256: str, folder: Path, keep: Callable[[Path], object], transport: Transport) -> None:
    """Get a content from the server into a draft in `folder`; it is handed to `keep` complete and checked, or never.

    Raises:
        NotFound: the server does not have it.
        ServerAway: the server cannot be reached.
        ServiceError: it arrived damaged.
    """
    draft = folder / f".draft-{sha256[:16]}-{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    try:
        with draft.open("wb") as file:

            def write(piece: bytes) -> None:
                digest.update(piece)
                file.write(piece)

            transport.stream("GET", f"/artifacts/{place(sha256)}", write)
        if digest.hexdigest() != sha256:
            raise ServiceError(f"The file {sha256[:12]}… arrived damaged from the server. Try it again.")
        keep(draft)
    finally:
        draft.unlink(missing_ok=True)


def files_of(snapshot: str, store: ArtifactStore) -> Iterator[str]:
    """A snapshot and all that it consists of.

    Raises:
        NotFound: it is not in the store.
    """
    from runyard.artifacts import read_manifest  # late: only submitting needs it

    yield snapshot
    for entry in read_manifest(snapshot, store).files.values():
        if entry.sha256:
            yield entry.sha256
