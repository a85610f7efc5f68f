"""A run travels as one file: its folder, its artifacts, the code it was asked for with.

    export.json            format, the run's id, and the size of every other member
    run/…                  the run's folder as it is
    artifacts/<sha256>     every file that the run or its snapshot refers to

It is a .tar.gz, and the same run gives the same bytes. What comes in is never trusted: the whole file is
examined before anything is written, and examined again while it is unpacked into a draft inside the home. The draft
must be understood by an index of its own, and only then does the run's folder get its place, by one rename.
"""

import gzip
import hashlib
import io
import os
import shutil
import stat
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

import msgspec

from runyard.artifacts import Manifest
from runyard.client.client import Client, open_client
from runyard.drafts import drafted
from runyard.errors import (
    ConflictError,
    FormatUnknown,
    JournalDamaged,
    NotFound,
    RunyardError,
    ServiceError,
    UsageError,
)
from runyard.journal import RunFolder
from runyard.journal.events import ArtifactStored, CodeSeen, DataSeen
from runyard.journal.reader import Decoder, EventAt
from runyard.records import RUN_FORMAT, RunId, RunSpec, decode_spec

EXPORT_FORMAT = 1

_LISTING = "export.json"
_RUN = "run/"
_ARTIFACTS = "artifacts/"
_PIECE_BYTES = 1 << 20
_LONGEST_READ_BYTES = (
    16 << 20
)  # tarfile reads extended headers in one piece: a lie about their size must not fill the memory
_MAX_MEMBERS = 1_000_000
_MOST_PADDING_BYTES = 1 << 16
_MAX_LISTING_BYTES = 256 << 20
_COMPRESSION = 3  # journals shrink to half, and models hardly at all, however long one tries

Sink = Callable[[str, BinaryIO], None]  # name of a member and its content


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """What an export says of itself: `members` holds their sizes in bytes."""

    format: int
    id: RunId
    members: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written. `left_out`: links and the like, which no other machine can rely on."""

    size_bytes: int
    members: int
    left_out: list[str]


@dataclass(frozen=True, kw_only=True)
class Imported:
    """Which run came in; `is_new` is False if exactly that run was here already."""

    run_id: RunId
    is_new: bool


def export_run(client: Client, run_id: str, path: Path) -> Exported:
    """Write a run and all that belongs to it into the file `path`, which appears complete or not at all.

    Raises:
        ConflictError: the run has not ended.
        UsageError: the file exists.
        NotFound: there is no such run, or an artifact of it is gone.
    """
    row = client.index.get(run_id)
    if not row.state.is_ended:
        raise ConflictError(f"Run {row.id} ({row.name}) is {row.state}; it can travel once it has ended.")
    if path.exists():
        raise UsageError(f"{path} exists already. Choose another name.")
    folder = client.folder(run_id)
    sources, left_out = _sources(client, folder)
    listing = Listing(format=EXPORT_FORMAT, id=row.id, members={name: os.stat(file).st_size for name, file in sources})
    with drafted(path) as draft, draft.open("xb") as file:
        _write(file, listing, dict(sources))
        file.flush()
        os.fsync(file.fileno())
    return Exported(size_bytes=path.stat().st_size, members=len(sources), left_out=left_out)


def import_run(client: Client, path: Path) -> Imported:
    """Take in a run that `export_run` wrote.

    Raises:
        UsageError: there is no such file, or it is no intact export; nothing was changed.
        ConflictError: another run has the same id.
        FormatUnknown: another version of Runyard wrote it.
    """
    listing, spec = _examine(path)
    existing = _existing(client, listing.id)
    if existing is not None:
        _require_same(existing, path, listing)
        return Imported(run_id=listing.id, is_new=False)
    _require_room(client, listing)
    draft = Path(tempfile.mkdtemp(prefix="import-", dir=client.home.path))
    try:
        _unpack(path, listing, draft)
        run = RunFolder(draft / "runs" / listing.id)
        _check_journals(run)
        _check_references(run, spec, listing, draft)
        _check_understood(draft, listing.id)
        for name in sorted(os.listdir(draft / "artifacts")):
            client.artifacts.put_file(draft / "artifacts" / name)
        _take_place(run.path, client.home.runs / listing.id)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    client.index.add_run(spec)
    client.index.catch_up(listing.id)
    return Imported(run_id=listing.id, is_new=True)


# ---- going out ----


def _sources(client: Client, folder: RunFolder) -> tuple[list[tuple[str, Path]], list[str]]:
    """Names of members and their files, in the order of the names; and what cannot travel."""
    found: list[tuple[str, Path]] = []
    left_out: list[str] = []
    for place, folders, names in os.walk(folder.path):
        linked = [name for name in folders if os.path.islink(os.path.join(place, name))]
        for name in [*names, *linked]:
            path = Path(place, name)
            relative = path.relative_to(folder.path).as_posix()
            is_plain = stat.S_ISREG(path.lstat().st_mode) and not _bad_name(_RUN + relative)
            if is_plain:
                found.append((_RUN + relative, path))
            else:
                left_out.append(relative)
    found += [(_ARTIFACTS + sha256, client.artifacts.path(sha256)) for sha256 in _references(client, folder)]
    return sorted(found), sorted(left_out)


def _references(client: Client, folder: RunFolder) -> set[str]:
    spec = client.spec(folder.id)

    def read(sha256: str) -> bytes:
        return client.artifacts.path(sha256).read_bytes()

    return stored_by_journals(folder) | needed_by_code(spec, read)


def _write(file: BinaryIO, listing: Listing, sources: dict[str, Path]) -> None:
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=_COMPRESSION, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        head = msgspec.json.encode(listing)
        archive.addfile(_member(_LISTING, len(head)), io.BytesIO(head))
        for name, size in listing.members.items():
            with sources[name].open("rb") as source:
                archive.addfile(_member(name, size), source)  # exactly `size` bytes: journals may grow meanwhile


def _member(name: str, size: int) -> tarfile.TarInfo:
    """Nothing but name and size, so that equal runs give equal files."""
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o644
    return member


# ---- coming in ----


class _Careful:
    """A decompressed stream that refuses to be read in huge pieces."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LONGEST_READ_BYTES:
            raise tarfile.ReadError("a header of an absurd size")
        return self._stream.read(size)

    def tell(self) -> int:
        return self._stream.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)


def _examine(path: Path) -> tuple[Listing, RunSpec]:
    """Go through the whole file without writing a byte."""
    specs: list[RunSpec] = []

    def look(name: str, content: BinaryIO) -> None:
        if name == f"{_RUN}run.json":
            specs.append(_spec(path, content.read()))
        elif name.startswith(_ARTIFACTS):
            _check_content(path, name.removeprefix(_ARTIFACTS), content)

    listing = _read(path, look)
    if not specs:
        raise _no_export(path, "it holds no run.json")
    if specs[0].id != listing.id:
        raise _no_export(path, "its run.json belongs to another run")
    return listing, specs[0]


def _read(path: Path, sink: Sink) -> Listing:
    """Hand every member to `sink` once its name and size are found to be as they must."""
    try:
        with path.open("rb") as file, gzip.GzipFile(fileobj=file) as packed:
            careful: IO[bytes] = _Careful(packed)  # type: ignore[assignment]  # tarfile asks for no more than it has
            with tarfile.open(fileobj=careful, mode="r:", errorlevel=2) as archive:
                listing = _read_members(path, archive, sink)
            if len(packed.read(_MOST_PADDING_BYTES + 1)) > _MOST_PADDING_BYTES:  # the end is where the checksum is
                raise _no_export(path, "something follows its end")
            return listing
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}.") from None
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, UnicodeError, OverflowError, ValueError) as error:
        raise _no_export(path, str(error) or "it cannot be unpacked") from None


def _read_members(path: Path, archive: tarfile.TarFile, sink: Sink) -> Listing:
    listing: Listing | None = None
    seen: set[str] = set()
    for member in archive:
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.sparse is not None:
            raise _no_export(path, f"it holds something other than plain files: {member.name[:80]!r}")
        content = archive.extractfile(member)
        assert content is not None  # a plain file has a content
        if listing is None:
            listing = _listing(path, member, content)
            continue
        name = member.name
        if listing.members.get(name) != member.size or name in seen:
            raise _no_export(path, f"the member {name[:80]!r} is not as its listing says")
        seen.add(name)
        sink(name, content)  # type: ignore[arg-type]  # IO[bytes], of which only `read` is used
    if listing is None or len(seen) != len(listing.members):
        raise _no_export(path, "it is not complete")
    return listing


def _listing(path: Path, member: tarfile.TarInfo, content: IO[bytes]) -> Listing:
    if member.name != _LISTING or member.size > _MAX_LISTING_BYTES:
        raise _no_export(path, f"it does not begin with {_LISTING}")
    data = b"".join(_pieces(content))
    try:
        found = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        version = msgspec.json.decode(found.get("format", msgspec.Raw(b"null")))
        if version != EXPORT_FORMAT:
            raise FormatUnknown(
                f"{path} has export format {str(version)[:20]}; this Runyard knows format {EXPORT_FORMAT}. "
                "Install the version that wrote it."
            )
        listing = msgspec.json.decode(data, type=Listing)
    except msgspec.MsgspecError as error:
        raise _no_export(path, f"its listing cannot be understood: {error}") from None
    if not (listing.id.isascii() and listing.id.isalnum() and len(listing.id) <= 32):
        raise _no_export(path, "its listing names no proper run id")
    if len(listing.members) > _MAX_MEMBERS:
        raise _no_export(path, "it holds more files than any run has")
    for name, size in listing.members.items():
        problem = _bad_name(name)
        if problem or size < 0:
            raise _no_export(path, f"the name {name[:80]!r} {problem or 'has a negative size'}")
    return listing


def _bad_name(name: str) -> str:
    """What is wrong with the name of a member; empty if nothing is."""
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "may lead out of its folder"
    if any(ord(char) < 32 or char in "\\\x7f" or 0xD800 <= ord(char) < 0xE000 for char in name):
        return "holds control characters"
    if len(name.encode()) > 2000 or any(len(part.encode()) > 255 for part in parts):
        return "is too long"
    if name.startswith(_ARTIFACTS):
        is_sha256 = len(parts) == 2 and len(parts[1]) == 64 and set(parts[1]) <= set("0123456789abcdef")
        return "" if is_sha256 else "is no SHA-256"
    return "" if name.startswith(_RUN) else "belongs to no part of a run"


def _spec(path: Path, data: bytes) -> RunSpec:
    try:
        spec = decode_spec(data)
    except msgspec.MsgspecError as error:
        raise _no_export(path, f"its run.json cannot be read: {error}") from None
    if spec.format != RUN_FORMAT:
        raise FormatUnknown(f"The run in {path} has format {spec.format}; this Runyard knows format {RUN_FORMAT}.")
    return spec


def _check_content(path: Path, sha256: str, content: IO[bytes]) -> None:
    digest = hashlib.sha256()
    for piece in _pieces(content):
        digest.update(piece)
    if digest.hexdigest() != sha256:
        raise _no_export(path, f"the content of {sha256[:12]}… is not what its name says")


def _existing(client: Client, run_id: RunId) -> RunFolder | None:
    try:
        return client.folder(run_id)
    except NotFound:
        return None


def _require_same(existing: RunFolder, path: Path, listing: Listing) -> None:
    """Byte by byte, so that nothing is taken for the same that merely has the same id."""
    differs = False

    def compare(name: str, content: BinaryIO) -> None:
        nonlocal differs
        if name.startswith(_RUN) and not differs:
            differs = not _equals(existing.path / name.removeprefix(_RUN), content)

    _read(path, compare)
    if differs or existing.path.parent.name != "runs":
        where = "in the trash" if existing.path.parent.name == "trash" else "here already, with other content"
        raise ConflictError(f"The run {listing.id} is {where}; {path} was not imported, and nothing was changed.")


def _equals(file: Path, content: IO[bytes]) -> bool:
    try:
        with file.open("rb") as known:
            return all(known.read(len(piece)) == piece for piece in _pieces(content)) and not known.read(1)
    except OSError:
        return False


def _require_room(client: Client, listing: Listing) -> None:
    needed = 2 * sum(listing.members.values())  # artifacts exist twice for a moment
    free = shutil.disk_usage(client.home.path).free
    if needed > free:
        raise ServiceError(f"The import needs {needed:,} bytes on the disk of {client.home.path}, {free:,} are free.")


def _unpack(path: Path, listing: Listing, draft: Path) -> None:
    (draft / "artifacts").mkdir()
    run = draft / "runs" / listing.id
    run.mkdir(parents=True)

    def write(name: str, content: BinaryIO) -> None:
        inside, folder = (name.removeprefix(_RUN), run) if name.startswith(_RUN) else (name, draft)
        place = folder / inside
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as file:
                for piece in _pieces(content):
                    file.write(piece)
        except (FileExistsError, NotADirectoryError):  # one member's name is a folder of another's
            raise _no_export(path, f"the name {name[:80]!r} clashes with another") from None
        if name.startswith(_ARTIFACTS):  # again: somebody may have exchanged the file since it was examined
            with place.open("rb") as stored:
                _check_content(path, place.name, stored)

    if _read(path, write) != listing:
        raise _no_export(path, "it changed while it was read")


def _check_journals(run: RunFolder) -> None:
    for attempt in run.attempts():
        for stream in attempt.streams():
            _check_header(run, attempt.journal(stream), attempt.number, stream)
    if run.edits.exists():
        _check_header(run, run.edits, 0, "edits")


def _check_header(run: RunFolder, journal: Path, attempt: int, stream: str) -> None:
    decoder = Decoder()
    for _ in _items(journal, decoder):
        break
    header = decoder.header
    if header is None or (header.run, header.attempt, header.stream) != (run.id, attempt, stream):
        raise JournalDamaged(f"The journal {journal.relative_to(run.path)} in the file is not one of run {run.id}.")


def _check_references(run: RunFolder, spec: RunSpec, listing: Listing, draft: Path) -> None:
    """All that the run refers to has come, and nothing else has."""

    def read(sha256: str) -> bytes:
        try:
            return (draft / _ARTIFACTS / sha256).read_bytes()
        except FileNotFoundError:
            raise UsageError(
                f"The file lacks {sha256[:12]}…, which run {run.id} refers to. Nothing was imported."
            ) from None

    brought = {name.removeprefix(_ARTIFACTS) for name in listing.members if name.startswith(_ARTIFACTS)}
    needed = stored_by_journals(run) | needed_by_code(spec, read)
    if needed - brought:
        raise UsageError(
            f"The file lacks {min(needed - brought)[:12]}…, which run {run.id} refers to. Nothing was imported."
        )
    if brought - needed:
        raise UsageError(
            f"The file holds {min(brought - needed)[:12]}…, which run {run.id} does not know. Nothing was imported."
        )


def _check_understood(draft: Path, run_id: RunId) -> None:
    """Let an index of its own read the draft. A run that has not ended would wait for a worker, and be executed."""
    scratch = open_client(draft)
    try:
        scratch.index.reindex()
        state = scratch.index.get(run_id).state
    except RunyardError as error:
        raise UsageError(f"The run in the file cannot be understood: {error} Nothing was imported.") from None
    finally:
        scratch.close()
    if not state.is_ended:
        raise UsageError(f"The run in the file is {state}; only a run that has ended can travel. Nothing was imported.")


def _take_place(draft: Path, place: Path) -> None:
    try:
        os.rename(draft, place)
    except OSError:
        if place.exists():
            raise ConflictError(f"The run {place.name} has just appeared; it was not imported again.") from None
        raise


# ---- what a run refers to ----


def stored_by_journals(run: RunFolder) -> set[str]:
    """The files by content that the journals of a run name."""
    events = [
        item.event
        for attempt in run.attempts()
        for stream in attempt.streams()
        for item in _items(attempt.journal(stream), Decoder())
    ]
    if run.edits.is_file():  # packages are made after the end
        events += [item.event for item in _items(run.edits, Decoder())]
    stored = {event.sha256 for event in events if isinstance(event, ArtifactStored)}
    stored |= {event.diff for event in events if isinstance(event, CodeSeen) and event.diff}
    seen = [source for event in events if isinstance(event, DataSeen) for source in event.sources]
    return stored | {source.listing for source in seen if source.listing}


def needed_by_code(spec: RunSpec, read: Callable[[str], bytes]) -> set[str]:
    """The files by content that the code of a run consists of; `read` gives the content of its manifest."""
    needed = {sha256 for sha256 in (spec.code.snapshot, spec.code.diff) if sha256}
    if spec.code.snapshot:
        try:
            manifest = msgspec.json.decode(read(spec.code.snapshot), type=Manifest)
        except msgspec.MsgspecError as error:
            raise UsageError(f"The snapshot of run {spec.id} is damaged: {error}.") from None
        needed |= {entry.sha256 for entry in manifest.files.values() if entry.sha256}
    return needed


def _items(journal: Path, decoder: Decoder) -> Iterator[EventAt]:
    """The events of a journal as far as it can be read."""
    yield from (item for item in decoder.feed(journal.read_bytes()) if isinstance(item, EventAt))


def _pieces(content: IO[bytes]) -> Iterable[bytes]:
    return iter(lambda: content.read(_PIECE_BYTES), b"")


def _no_export(path: Path, why: str) -> UsageError:
    return UsageError(f"{path} is no intact export of a run: {why}. Nothing was imported.")
