"""Checkpoints on their way to the server and back.

A state is what the folder of checkpoints holds at one moment. Its files are opened at once, so that a training that
puts a new file in the place of an old one changes nothing of it; one that writes into a file in place makes the state
worthless, and the next one is tried. Only content that the server lacks is sent.

Everything is done in steps of some megabytes, as whoever calls has a training to watch meanwhile.
"""

import hashlib
import os
import shutil
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeVar

import msgspec

from runyard.artifacts import ArtifactStore, Entry, Manifest
from runyard.artifacts.store import Uploaded
from runyard.client.brought import Brought, latest_here, put_in_place
from runyard.client.remote.transport import Transport, place
from runyard.errors import ServiceError, UsageError
from runyard.journal import RunFolder

MOST_FILES = 500  # they are open all at once
T = TypeVar("T")

_PART_BYTES = 2 << 20
_PIECE_BYTES = 8 << 20


class _Open(NamedTuple):
    """A file of a state, with what tells whether somebody has written into it since."""

    name: str
    file: BinaryIO
    seen: tuple[int, int, int]


class Bringing:
    """Brings the checkpoints of one attempt, state after state.

    Args:
        largest_bytes: larger states stay here.
    """

    def __init__(self, folder: RunFolder, attempt: int, transport: Transport, *, largest_bytes: int) -> None:
        self._folder = folder.checkpoints
        self._run_id = folder.id
        self._attempt = attempt
        self._transport = transport
        self._largest_bytes = largest_bytes
        self._known: dict[tuple[str, tuple[int, int, int]], str] = {}  # hashes of files that have not changed
        self._latest = ""

    def bring(self) -> Iterator[None]:
        """Bring the state of now, step by step. Nothing is done if the server has it.

        Raises:
            UsageError: it is too large, or has too many files.
            ServerAway: the server cannot be reached, or has no room.
            ConflictError: a later attempt is under way.
        """
        with ExitStack() as stack:
            files = self._open(stack)
            if not files:
                return
            entries: dict[str, Entry] = _links(self._folder)
            hashes: dict[str, _Open] = {}
            for each in files:
                sha256 = yield from self._hash(each)
                hashes[sha256] = each
                entries[each.name] = Entry(sha256=sha256, size_bytes=each.seen[2])
            manifest = msgspec.json.encode(Manifest(files=dict(sorted(entries.items()))))
            name = hashlib.sha256(manifest).hexdigest()
            if name == self._latest:
                return
            yield from self._send(hashes)
            if any(_seen(each.file.fileno()) != each.seen for each in files):
                return  # what was sent is of no moment; the next state has most of it already
            self._send_part(name, manifest, offset=0, size=len(manifest))
            self._call("keep_checkpoints", type(None), manifest=name)
            self._latest = name
            self._known = {(each.name, each.seen): sha256 for sha256, each in hashes.items()}

    def _open(self, stack: ExitStack) -> list[_Open]:
        found: list[_Open] = []
        for path in _files_below(self._folder):
            try:
                file = stack.enter_context(path.open("rb"))
            except FileNotFoundError:
                continue  # replaced or removed just now
            found.append(_Open(path.relative_to(self._folder).as_posix(), file, _seen(file.fileno())))
            if len(found) > MOST_FILES:
                raise UsageError(f"The checkpoints have more than {MOST_FILES} files, so they stay on this machine.")
        size = sum(each.seen[2] for each in found)
        if size > self._largest_bytes:
            raise UsageError(
                f"The checkpoints have {size / 1e9:.1f} GB, so they stay on this machine: up to "
                f"{self._largest_bytes / 1e9:.1f} GB are brought (largest_gb under [checkpoints] in machine.toml)."
            )
        return found

    def _hash(self, each: _Open) -> Generator[None, None, str]:
        known = self._known.get((each.name, each.seen))
        if known is not None:
            return known
        digest = hashlib.sha256()
        while piece := each.file.read(_PIECE_BYTES):
            digest.update(piece)
            yield
        return digest.hexdigest()

    def _send(self, hashes: dict[str, _Open]) -> Iterator[None]:
        contents = list(hashes)
        there = self._call("uploaded_checkpoints", list[Uploaded], contents=contents)
        for sha256, uploaded in zip(contents, there, strict=True):
            file, size = hashes[sha256].file, hashes[sha256].seen[2]
            while not uploaded.is_stored:
                file.seek(uploaded.offset)
                part = file.read(min(_PART_BYTES, size - uploaded.offset))
                if not part and size:
                    return  # it became shorter; the caller sees that it was changed
                uploaded = self._send_part(sha256, part, offset=uploaded.offset, size=size)
                yield

    def _send_part(self, sha256: str, part: bytes, *, offset: int, size: int) -> Uploaded:
        address = f"/runs/{place(self._run_id)}/checkpoints/{place(sha256)}/parts"
        params = {"attempt": self._attempt, "offset": offset, "size": size}
        answer = msgspec.json.decode(self._transport.request("PUT", address, body=part, params=params))
        return Uploaded(offset=int(answer["offset"]), is_stored=bool(answer["is_stored"]))

    def _call(self, method: str, kind: type[T], **arguments: object) -> T:
        given = {"run_id": self._run_id, "attempt": self._attempt, **arguments}
        return self._transport.tell(f"/calls/client.{method}", given, kind)


def fetch(folder: RunFolder, attempt: int, latest: Brought | None, transport: Transport) -> Iterator[None]:
    """Lay out the latest state in place of the checkpoints here, step by step, unless those here are as new.

    Raises:
        ServerAway: the server cannot be reached.
        ServiceError: a file arrived damaged.
    """
    if latest is None or latest.attempt <= latest_here(folder, attempt):
        return
    files = ArtifactStore(folder.path / ".fetching")
    needed = [latest.manifest]
    while needed:
        sha256 = needed.pop()
        if not files.has(sha256):
            yield from _fetch(files, folder.id, sha256, transport)
        if sha256 == latest.manifest:
            named = msgspec.json.decode(files.path(sha256).read_bytes(), type=Manifest).files.values()
            needed += sorted({entry.sha256 for entry in named if entry.sha256})
    yield from put_in_place(files, latest.manifest, folder)
    shutil.rmtree(files.root, ignore_errors=True)


def _fetch(files: ArtifactStore, run_id: str, sha256: str, transport: Transport) -> Iterator[None]:
    """Get one content in parts; what has come stays when it is broken off."""
    there = files.uploaded(sha256)
    address = f"/runs/{place(run_id)}/checkpoints/{place(sha256)}"
    while not there.is_stored:
        answer = transport.request("GET", address, params={"offset": there.offset})
        size, _, part = answer.partition(b"\n")
        if not size.isdigit():
            raise ServiceError(f"The server's answer for the checkpoint {sha256[:12]}… cannot be understood.")
        there = files.upload(sha256, there.offset, int(size), part)
        yield


def _files_below(folder: Path) -> Iterator[Path]:
    """All files but those that have, or lie in a folder that has, a dot in front: such are drafts."""
    for path, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and not os.path.islink(os.path.join(path, name)):
                yield Path(path, name)


def _links(folder: Path) -> dict[str, Entry]:
    """Links to what lies below them, such as `last.ckpt`."""
    found: dict[str, Entry] = {}
    for path, folders, names in os.walk(folder):
        for name in (*folders, *names):
            link = Path(path, name)
            if not name.startswith(".") and link.is_symlink():
                target = os.readlink(link)
                if not target.startswith("/") and ".." not in target.split("/"):
                    found[link.relative_to(folder).as_posix()] = Entry(link=target)
    return found


def _seen(fd: int) -> tuple[int, int, int]:
    status = os.fstat(fd)
    return status.st_ino, status.st_mtime_ns, status.st_size
