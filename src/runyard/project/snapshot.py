"""Snapshots: the code of a project, frozen when a run is submitted.

A snapshot is a manifest (path -> content, mode) whose files lie in the artifact store; its id is the
SHA-256 of the manifest, so that the same code is the same snapshot wherever it is taken. Taken is
what Git keeps or would keep; data that .gitignore names stay where they are.
"""

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from runyard.artifacts import ArtifactStore, Entry, Manifest, read_manifest
from runyard.errors import ServiceError, UsageError
from runyard.git import list_files
from runyard.journal import Home

MAX_FILE_BYTES = 20 << 20  # larger files are data or models, not code
_N_THREADS = 8  # storing waits for the disk, not for the processor
_NEVER = frozenset({".git", ".hg", ".svn", "__pycache__", ".venv", "venv", "node_modules"})
_NOT_CODE_ID = ("src/config.py", "src/visualization/")  # a changed default or chart makes no result another one


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A stored snapshot.

    Attributes:
        id: SHA-256 of the manifest, under which it lies in the artifact store.
        code_id: SHA-256 over `src/` without the config and the visualization.
        warnings: one sentence for each path that was left out.
    """

    id: str
    code_id: str
    warnings: tuple[str, ...] = ()


def take(project_dir: Path, store: ArtifactStore) -> Snapshot:
    """Store the code of the project as it is now, uncommitted changes included.

    Raises:
        UsageError: there is no such folder, or one of its files cannot be read.
    """
    if not project_dir.is_dir():
        raise UsageError(f"{project_dir} is no folder; its code cannot be frozen.")
    found = _look(project_dir.resolve())
    files = _store_files(found.files, store)
    files |= _links(project_dir.resolve(), found, files)
    manifest = Manifest(files=dict(sorted(files.items())))
    return Snapshot(
        id=store.put_bytes(msgspec.json.encode(manifest)),
        code_id=_code_id(manifest),
        warnings=tuple(found.warnings),
    )


def materialise(snapshot: str, store: ArtifactStore, home: Home) -> Path:
    """Lay a snapshot out as a folder to import from, `<home>/code/<snapshot>/`, and return that folder.

    The folder appears complete or not at all; many processes may ask for it at once.

    Raises:
        NotFound: the snapshot, or a file of it, is not in the store.
        FormatUnknown: another version of Runyard took it.
        ServiceError: it is damaged, or names paths outside of its folder.
    """
    manifest = read_manifest(snapshot, store)
    place = home.code / snapshot
    if _is_complete(place, manifest):
        return place
    home.code.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{snapshot[:12]}-", dir=home.code))
    try:
        _lay_out(manifest, store, draft)
        draft.chmod(0o755)  # mkdtemp lets nobody else in
        _publish(draft, place, manifest)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return place


# ---- taking ----


@dataclass
class _Found:
    """What lies in a project's folder, by relative path."""

    files: dict[str, tuple[Path, os.stat_result]] = field(default_factory=dict)
    links: dict[str, Path] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def _look(root: Path) -> _Found:
    found = _Found()
    for name in _paths(root):
        path = root / name
        try:
            info = path.lstat()
        except OSError:
            continue  # deleted, but still in Git's index
        if not _is_text(name):
            found.warnings.append(f"{os.fsencode(name)!r} is left out: its name is no UTF-8.")
        elif stat.S_ISLNK(info.st_mode):
            found.links[name] = path
        elif not stat.S_ISREG(info.st_mode):
            found.warnings.append(f"{name} is left out: it is no ordinary file.")
        elif info.st_size > MAX_FILE_BYTES:
            found.warnings.append(
                f"{name} is left out: it has {info.st_size / 1e6:.0f} MB, and code files have at most "
                f"{MAX_FILE_BYTES / 1e6:.0f}. If it is data, name it in .gitignore."
            )
        else:
            found.files[name] = (path, info)
    return found


def _paths(root: Path) -> Iterator[str]:
    """The paths that belong to the code, relative to `root`."""
    listed = list_files(root)
    if listed is None:
        listed = sorted(_walk(root))  # there is no Git
    for name in listed:
        path = root / name
        if path.is_dir() and not path.is_symlink():  # a submodule, or a repository of its own
            yield from (f"{name}/{inner}" for inner in _paths(path))
        elif _NEVER.isdisjoint(name.split("/")):
            yield name


def _walk(root: Path) -> Iterator[str]:
    """All files below `root`, without the folders that .gitignore names plainly and without environments."""
    ignored = _plainly_ignored(root)
    for folder, folders, files in os.walk(root):
        relative = Path(folder).relative_to(root)
        folders[:] = [
            name
            for name in folders
            if name not in _NEVER
            and str(relative / name) not in ignored
            and not Path(folder, name, "pyvenv.cfg").exists()
        ]
        linked = [name for name in folders if Path(folder, name).is_symlink()]
        yield from (str(relative / name) for name in [*files, *linked])


def _plainly_ignored(root: Path) -> set[str]:
    """The lines of .gitignore without wildcards, as paths; Git itself is not there to read the others."""
    try:
        lines = (root / ".gitignore").read_text(errors="replace").splitlines()
    except OSError:
        return set()
    return {line.strip().strip("/") for line in lines if line.strip() and not line.startswith("#")}


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _store_files(files: dict[str, tuple[Path, os.stat_result]], store: ArtifactStore) -> dict[str, Entry]:
    def keep(item: tuple[Path, os.stat_result]) -> Entry:
        path, info = item
        data = path.read_bytes()
        is_executable = bool(info.st_mode & stat.S_IXUSR)
        return Entry(sha256=store.put_bytes(data), size_bytes=len(data), is_executable=is_executable)

    try:
        with ThreadPoolExecutor(_N_THREADS) as threads:
            return dict(zip(files, threads.map(keep, files.values()), strict=True))
    except OSError as error:
        raise UsageError(f"The code cannot be frozen: {error.filename}: {error.strerror}.") from error


def _links(root: Path, found: _Found, files: dict[str, Entry]) -> dict[str, Entry]:
    """The links that lead to something of the snapshot; relative, so that they hold wherever it is laid out."""
    links = {}
    for name, path in found.links.items():
        target = Path(os.path.realpath(path))
        if not target.is_relative_to(root):
            found.warnings.append(f"{name} is left out: it is a link to {os.readlink(path)}, outside of the project.")
        elif not _is_taken(target.relative_to(root).as_posix(), files):
            found.warnings.append(f"{name} is left out: it is a link to {os.readlink(path)}, which is not taken.")
        else:
            links[name] = Entry(link=os.path.relpath(target, os.path.realpath(path.parent)))
    return links


def _is_taken(target: str, files: dict[str, Entry]) -> bool:
    return target == "." or target in files or any(name.startswith(f"{target}/") for name in files)


def _code_id(manifest: Manifest) -> str:
    code = [
        (path, entry.sha256 or entry.link)
        for path, entry in manifest.files.items()
        if path.startswith("src/") and not path.startswith(_NOT_CODE_ID)
    ]
    return hashlib.sha256(msgspec.json.encode(code)).hexdigest()


# ---- laying out ----


def _lay_out(manifest: Manifest, store: ArtifactStore, folder: Path) -> None:
    for path, entry in manifest.files.items():
        if not entry.link:
            _write_file(folder / path, entry, store)
    for path, entry in manifest.files.items():
        if entry.link:
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(entry.link)
    for path, entry in manifest.files.items():
        if entry.link and not Path(os.path.realpath(folder / path)).is_relative_to(os.path.realpath(folder)):
            raise ServiceError(f"The snapshot holds the link {path} to {entry.link}, which leads out of its folder.")


def _write_file(place: Path, entry: Entry, store: ArtifactStore) -> None:
    with store.open(entry.sha256) as source:
        data = source.read()
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise ServiceError(f"{store.path(entry.sha256)} is damaged: its content does not match its name.")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    place.chmod(0o555 if entry.is_executable else 0o444)  # frozen: an editor asks before it writes here


def _publish(draft: Path, place: Path, manifest: Manifest) -> None:
    try:
        draft.rename(place)
        return
    except OSError:  # the place is taken: by another process that was faster, or by what a power cut left
        if _is_complete(place, manifest):
            return
    place.rename(draft.with_name(draft.name + "-damaged"))
    shutil.rmtree(draft.with_name(draft.name + "-damaged"), ignore_errors=True)
    draft.rename(place)


def _is_complete(place: Path, manifest: Manifest) -> bool:
    """Whether every path is there with its size: after a power cut files may be there without their content."""
    try:
        for path, entry in manifest.files.items():
            if entry.link:
                os.readlink(place / path)
            elif (place / path).lstat().st_size != entry.size_bytes:
                return False
    except OSError:
        return False
    return place.is_dir()
