"""What data a run found: a fingerprint of the files at a path, and what changed between two of them.

Up to `MOST_READ_BYTES` in `MOST_READ_FILES` the contents are read, and only names and contents count: a copy of the
data, or one that was unpacked again, is the same data. Of more than that nothing is read; then names, sizes and times
of change count.
"""

import hashlib
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from runyard.records import DataSource

SAMPLES = "tests/data"  # where a project keeps the data of its tests
MOST_READ_BYTES = 256 << 20  # about half a second of one core
MOST_READ_FILES = 50_000
MOST_LISTED = 200_000  # files; a longer list costs more than it explains

_SKIPPED = frozenset({"__pycache__", ".git", ".DS_Store"})
_PIECE_BYTES = 1 << 20

Listed = dict[str, tuple[int, str]]  # name -> size in bytes, and the beginning of its SHA-256 or its time of change


class Fingerprint(NamedTuple):
    """A source, and the list of its files as `read_listing` takes it; empty if there is none."""

    source: DataSource
    listing: bytes


class _File(NamedTuple):
    name: str  # relative, with /
    path: str
    size_bytes: int
    time_ns: int


def fingerprint(
    key: str, path: Path, *, known: Callable[[DataSource], Fingerprint | None] = lambda seen: None
) -> Fingerprint:
    """Look at the files at a path, a file or a folder.

    Args:
        key: what names the path.
        known: is asked with all but contents and listing, and may spare reading the files.

    Returns:
        The source; with `problem` set if the path is not there or cannot be read.
    """
    source = DataSource(key=key, path=str(path))
    try:
        files = sorted(_files(path))
        source = msgspec.structs.replace(
            source,
            files=len(files),
            size_bytes=sum(file.size_bytes for file in files),
            names=_hash(f"{file.name}\0{file.size_bytes}\n" for file in files),
            times=_hash(f"{file.name}\0{file.size_bytes}\0{file.time_ns}\n" for file in files),
        )
        before = known(source)
        if before is not None:
            return before
        is_read = source.size_bytes <= MOST_READ_BYTES and len(files) <= MOST_READ_FILES
        marks = [_content(file.path) if is_read else f"@{file.time_ns}" for file in files]
    except OSError as error:
        problem = f"{error.filename or path} cannot be read: {error.strerror}."
        return Fingerprint(msgspec.structs.replace(source, problem=problem), b"")
    if is_read:
        named = (f"{file.name}\0{mark}\n" for file, mark in zip(files, marks, strict=True))
        source = msgspec.structs.replace(source, contents=_hash(named))
    if len(files) > MOST_LISTED:
        return Fingerprint(source, b"")
    listed = {file.name: (file.size_bytes, mark[:20]) for file, mark in zip(files, marks, strict=True)}
    return Fingerprint(source, zlib.compress(msgspec.json.encode(listed)))


def is_same(before: DataSource, after: DataSource) -> bool | None:
    """Whether two runs found the same data; None if that cannot be told (large files that only have other times)."""
    if before.problem or after.problem:
        return None
    if before.contents and after.contents:
        return before.contents == after.contents
    if before.times == after.times:
        return True
    return False if before.names != after.names else None


def read_listing(data: bytes) -> Listed:
    """The files of a source, by name.

    Raises:
        ValueError: the bytes are no list.
    """
    try:
        return msgspec.json.decode(zlib.decompress(data), type=Listed)
    except (zlib.error, msgspec.MsgspecError) as error:
        raise ValueError(f"This is no list of files: {error}") from None


def changed_files(before: Listed, after: Listed) -> dict[str, list[str]]:
    """Names of files by what became of them: changed, added, removed; each sorted."""
    found = {
        "changed": [name for name in before.keys() & after.keys() if before[name] != after[name]],
        "added": list(after.keys() - before.keys()),
        "removed": list(before.keys() - after.keys()),
    }
    return {what: sorted(names) for what, names in found.items() if names}


def _files(path: Path) -> Iterator[_File]:
    if path.is_file():
        info = path.stat()
        yield _File(path.name, str(path), info.st_size, info.st_mtime_ns)
        return
    root = os.fspath(path)
    waiting = [("", root)]
    seen: set[tuple[int, int]] = set()
    while waiting:
        prefix, folder = waiting.pop()
        info = os.stat(folder)
        if (info.st_dev, info.st_ino) in seen:
            continue  # a link that leads in a circle
        seen.add((info.st_dev, info.st_ino))
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name in _SKIPPED:
                    continue
                name = prefix + os.fsencode(entry.name).decode(errors="backslashreplace")
                if entry.is_dir():
                    waiting.append((f"{name}/", entry.path))
                elif entry.is_file():
                    info = entry.stat()
                    yield _File(name, entry.path, info.st_size, info.st_mtime_ns)


def _content(path: str) -> str:
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _hash(lines: Iterator[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode())
    return digest.hexdigest()
