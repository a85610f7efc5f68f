"""The template as a Git bundle: one file with all its versions, each a tag, which Copier can update a project from.

It is written and read here without Git, so that building a package needs none and the bytes depend on nothing but the
files. Objects are stored whole, never as differences. This file imports the standard library alone: the build of a
package executes it before anything is installed.
"""

import hashlib
import sys
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_HEADER = b"# v2 git bundle\n"
_KINDS = {"commit": 1, "tree": 2, "blob": 3}
_NAMES = {number: name for name, number in _KINDS.items()}
_AUTHOR = "Runyard <template@runyard.invalid> 1767225600 +0000"  # the same on all machines, at all times
_LEFT_BY_TOOLS = {"__pycache__", ".DS_Store", ".pytest_cache", ".ruff_cache", ".mypy_cache"}
_CONTENTS = ("copier.yml", "project")
VERSION_FILE = "VERSION"
RELEASED_FILE = "released.bundle"


@dataclass(frozen=True)
class Bundle:
    """Versions of a template: `tags` leads from a version to the id of its commit, `objects` from ids to contents."""

    tags: Mapping[str, str]
    objects: Mapping[str, tuple[str, bytes]]

    def read(self, version: str, path: str) -> bytes | None:
        """A file of a version, or None if it has none there.

        Raises:
            KeyError: there is no such version.
        """
        tree = self._tree(self.tags[version])
        *folders, name = path.split("/")
        for folder in folders:
            if folder not in tree:
                return None
            tree = dict(_entries(self.objects[tree[folder]][1]))
        return self.objects[tree[name]][1] if name in tree else None

    def _tree(self, commit: str) -> dict[str, str]:
        tree = self.objects[commit][1].split(b"\n", 1)[0].removeprefix(b"tree ").decode()
        return dict(_entries(self.objects[tree][1]))


def bundle_folder(folder: Path) -> bytes:
    """The bundle of a template's folder: all released versions, and the one that the folder holds.

    Raises:
        ValueError: the folder's version was released with other contents.
    """
    version = (folder / VERSION_FILE).read_text().strip()
    released = folder / RELEASED_FILE
    before = decode(released.read_bytes()) if released.is_file() else Bundle({}, {})
    objects = dict(before.objects)
    tree = _add_tree(objects, {name: folder / name for name in _CONTENTS})
    if version in before.tags:
        if f"tree {tree}\n".encode() != before.objects[before.tags[version]][1][: len(tree) + 6]:
            raise ValueError(f"The template {version} was released with other files. Write a new version into VERSION.")
        return encode(before)
    parent = f"parent {list(before.tags.values())[-1]}\n" if before.tags else ""
    text = f"tree {tree}\n{parent}author {_AUTHOR}\ncommitter {_AUTHOR}\n\nTemplate {version}\n"
    return encode(Bundle({**before.tags, version: _add(objects, "commit", text.encode())}, objects))


def encode(bundle: Bundle) -> bytes:
    """The file: a list of references, then a pack of all objects."""
    last = list(bundle.tags.values())[-1]
    references = [(last, "refs/heads/main"), *((commit, f"refs/tags/{tag}") for tag, commit in bundle.tags.items())]
    listed = "".join(f"{commit} {name}\n" for commit, name in [(last, "HEAD"), *references])
    pack = [b"PACK", (2).to_bytes(4, "big"), len(bundle.objects).to_bytes(4, "big")]
    for kind, data in bundle.objects.values():
        pack += [_size(kind, len(data)), zlib.compress(data, 9)]
    body = b"".join(pack)
    return _HEADER + listed.encode() + b"\n" + body + hashlib.sha1(body, usedforsecurity=False).digest()


def decode(data: bytes) -> Bundle:
    """Read what `encode` has written; bundles of others may store differences, and are refused.

    Raises:
        ValueError: this is no such bundle.
    """
    head, found, body = data.partition(b"\n\n")
    if not head.startswith(_HEADER.rstrip()) or not found or not body.startswith(b"PACK"):
        raise ValueError("this is no bundle of templates")
    tags = {}
    for line in head.decode().splitlines()[1:]:
        commit, _, name = line.partition(" ")
        if name.startswith("refs/tags/"):
            tags[name.removeprefix("refs/tags/")] = commit
    objects = {}
    at = 12
    for _ in range(int.from_bytes(body[8:12], "big")):
        kind = _NAMES.get((body[at] >> 4) & 7)
        if kind is None:
            raise ValueError("this bundle was not written by Runyard")
        while body[at] & 0x80:
            at += 1
        unpacking = zlib.decompressobj()
        content = unpacking.decompress(body[at + 1 :])
        at = len(body) - len(unpacking.unused_data)
        objects[_id(kind, content)] = (kind, content)
    return Bundle(tags, objects)


def _entries(tree: bytes) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(tree):
        end = tree.index(b"\0", at)
        yield tree[at:end].partition(b" ")[2].decode(), tree[end + 1 : end + 21].hex()
        at = end + 21


def _add_tree(objects: dict[str, tuple[str, bytes]], members: Mapping[str, Path]) -> str:
    entries = []
    for name, path in members.items():
        if path.is_dir():
            inner = {each.name: each for each in path.iterdir() if each.name not in _LEFT_BY_TOOLS}
            entries.append((name.encode() + b"/", b"40000 " + name.encode(), _add_tree(objects, inner)))
        else:
            mode = b"100755 " if path.stat().st_mode & 0o100 else b"100644 "
            entries.append((name.encode(), mode + name.encode(), _add(objects, "blob", path.read_bytes())))
    lines = [entry + b"\0" + bytes.fromhex(number) for _, entry, number in sorted(entries)]  # Git's order
    return _add(objects, "tree", b"".join(lines))


def _add(objects: dict[str, tuple[str, bytes]], kind: str, data: bytes) -> str:
    number = _id(kind, data)
    objects.setdefault(number, (kind, data))
    return number


def _id(kind: str, data: bytes) -> str:
    return hashlib.sha1(f"{kind} {len(data)}\0".encode() + data, usedforsecurity=False).hexdigest()


def _size(kind: str, size: int) -> bytes:
    """Kind and size of an object in a pack: four bits of the size, then seven a byte."""
    first, size = _KINDS[kind] << 4 | size & 15, size >> 4
    written = bytearray()
    while size:
        written.append(first | 0x80)
        first, size = size & 0x7F, size >> 7
    written.append(first)
    return bytes(written)


if __name__ == "__main__":  # `make release-template`
    Path(sys.argv[1], RELEASED_FILE).write_bytes(bundle_folder(Path(sys.argv[1])))
