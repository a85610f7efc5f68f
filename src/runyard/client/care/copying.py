"""Copying what lies in a home, in such a way that a killed copy is gone on with and never mistaken for a whole one.

A file appears under its name whole, with the time of its original, so that size and time tell whether it is the same.
Only journals grow in place: of them the beginning of a copy is a copy, too.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

DRAFT = ".copying-"  # in front of the name of a file that is not whole yet

_PIECE_BYTES = 1 << 20
_COMPARED_BYTES = 1 << 20  # a journal that was cut and has grown again differs close to where its copy ends

Count = Callable[[int], None]  # called with how many more bytes are done


@dataclass(frozen=True)
class Entry:
    """A file or a link below a folder, as it was when somebody looked.

    Attributes:
        name: relative to the folder, with `/`.
    """

    name: str
    size_bytes: int
    mtime_ns: int
    is_link: bool

    @property
    def is_journal(self) -> bool:
        """Whether it only grows."""
        return self.name.endswith(".journal") and not self.is_link


def entries(folder: Path) -> dict[str, Entry]:
    """The files and links below a folder, by name; without those that are just being copied there.

    Sockets, pipes and devices are no data, and left out.
    """
    found = {}
    for place, folders, names in os.walk(folder):
        linked = [name for name in folders if os.path.islink(os.path.join(place, name))]
        for name in [*names, *linked]:
            if name.startswith(DRAFT):
                continue
            path = os.path.join(place, name)
            try:
                status = os.lstat(path)
            except FileNotFoundError:  # gone since: whoever copies finds out where to
                continue
            is_link = stat.S_ISLNK(status.st_mode)
            if is_link or stat.S_ISREG(status.st_mode):
                relative = os.path.relpath(path, folder).replace(os.sep, "/")
                found[relative] = Entry(relative, status.st_size, status.st_mtime_ns, is_link)
    return found


def is_same(entry: Entry, copy: Entry | None) -> bool:
    """Whether a copy needs nothing more."""
    if copy is None or copy.is_link != entry.is_link or copy.size_bytes != entry.size_bytes:
        return False
    return entry.is_link or copy.mtime_ns == entry.mtime_ns


def copy_entry(source: Path, place: Path, entry: Entry, count: Count) -> None:
    """Bring the copy of a file or a link up to what `entry` says.

    Raises:
        FileNotFoundError: it is not there any more.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    if entry.is_link:
        _copy_link(source, place)
    elif entry.is_journal:
        _copy_journal(source, place, entry.size_bytes, count)
        os.utime(place, ns=(entry.mtime_ns, entry.mtime_ns))
    else:
        _copy_file(source, place, count)


def copy_content(source: Path, place: Path, count: Count) -> bool:
    """Copy a file whose name is the SHA-256 of its content; False if it is not, and then nothing is copied.

    Raises:
        FileNotFoundError: it is not there any more.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(DRAFT + place.name)
    digest = hashlib.sha256()
    with source.open("rb") as file, draft.open("wb") as target:
        for piece in _pieces(file.fileno(), None):
            digest.update(piece)
            target.write(piece)
            count(len(piece))
    if digest.hexdigest() != source.name:
        draft.unlink()
        return False
    draft.chmod(0o444)
    os.replace(draft, place)
    return True


def contents(root: Path) -> dict[str, int]:
    """The size in bytes of all files by content below `root`, by SHA-256."""
    try:
        folders = sorted(name for name in os.listdir(root) if len(name) == 2)
    except FileNotFoundError:
        return {}
    found = {}
    for folder in folders:
        with os.scandir(root / folder) as inside:
            found.update({each.name: each.stat().st_size for each in inside if is_content(each.name)})
    return found


def is_content(name: str) -> bool:
    """Whether a name is a SHA-256."""
    return len(name) == 64 and set(name) <= set("0123456789abcdef")


def run_ids(folder: Path) -> set[str]:
    """The runs that lie in a folder such as `runs` or `trash`."""
    try:
        return {name for name in os.listdir(folder) if name.isascii() and name.isalnum()}
    except FileNotFoundError:
        return set()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that appears whole, and is on the disk."""
    draft = path.with_name(DRAFT + path.name)
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)


def _copy_link(source: Path, place: Path) -> None:
    draft = place.with_name(DRAFT + place.name)
    draft.unlink(missing_ok=True)
    os.symlink(os.readlink(source), draft)
    os.replace(draft, place)


def _copy_file(source: Path, place: Path, count: Count) -> None:
    draft = place.with_name(DRAFT + place.name)
    with source.open("rb") as file, draft.open("wb") as target:
        before = os.fstat(file.fileno())  # one that changes while it is copied looks different next time
        for piece in _pieces(file.fileno(), None):
            target.write(piece)
            count(len(piece))
    os.utime(draft, ns=(before.st_mtime_ns, before.st_mtime_ns))
    draft.chmod(stat.S_IMODE(before.st_mode) | stat.S_IRUSR)
    os.replace(draft, place)


def _copy_journal(source: Path, place: Path, size: int, count: Count) -> None:
    """Add what is missing; a journal that was cut, or that is another one by now, is copied anew."""
    with source.open("rb") as file:
        known = _agreeing(file.fileno(), place, size)
        if not known:
            draft = place.with_name(DRAFT + place.name)
            with draft.open("wb") as target:
                for piece in _pieces(file.fileno(), size):
                    target.write(piece)
                    count(len(piece))
            os.replace(draft, place)
            return
        os.lseek(file.fileno(), known, os.SEEK_SET)
        with place.open("r+b") as target:
            target.seek(known)
            for piece in _pieces(file.fileno(), size - known):
                target.write(piece)
                count(len(piece))


def _agreeing(source: int, place: Path, size: int) -> int:
    """How many bytes of a copy are there and right; 0 if it has to be made anew."""
    try:
        copy = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    try:
        known = os.fstat(copy).st_size
        compared = min(known, _COMPARED_BYTES)
        if known > size or os.pread(copy, compared, known - compared) != os.pread(source, compared, known - compared):
            return 0
        return known
    finally:
        os.close(copy)


def _pieces(fd: int, size: int | None) -> Iterator[bytes]:
    """What follows in a file, `size` bytes at most."""
    left = size
    while left is None or left > 0:
        piece = os.read(fd, _PIECE_BYTES if left is None else min(left, _PIECE_BYTES))
        if not piece:
            return
        yield piece
        if left is not None:
            left -= len(piece)
