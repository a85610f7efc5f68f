"""Looking at everything in a home: journals, files by content, what refers to what, the index, leftovers.

What can be repaired without losing anything is: torn tails are cut and kept beside their journals, damaged files are
put aside so that their content can come again, runs are folded anew, leftovers are deleted. The rest is named.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from runyard.artifacts import read_manifest
from runyard.client.care.copying import run_ids
from runyard.client.client import Client
from runyard.database import lock_runs
from runyard.errors import NotFound, RunyardError
from runyard.index import RunRow, checking
from runyard.journal import EDITS, RunFolder
from runyard.journal.events import ArtifactStored, CodeSeen, DataSeen
from runyard.journal.reader import Decoder, EventAt, is_damaged, repair
from runyard.records import RunSpec

Tell = Callable[[int, int], None]  # how much is done, and of how much
Bar = Callable[[str, bool], AbstractContextManager[Tell]]  # title, and whether bytes are counted

_PIECE_BYTES = 4 << 20
_RUNS_AT_ONCE = 50
_OLD_S = 86_400.0  # an import or an upload may take hours, and goes on where it was
_LEFT = {  # of commands that were broken off: by the folder in which it lies
    "": ("import-*", ".submitting-*", "home.json.*"),
    "runs": ("draft-*",),
    "artifacts": (".draft-*", ".upload-*"),
    "copies": (".draft-*",),
    "code": (".*",),
}


class Kind(StrEnum):
    """What a problem is about."""

    RUN = "run"  # a folder that is no run, since its run.json cannot be read
    TORN = "torn"  # a journal ends in the middle of a record, and nobody will write the rest
    JOURNAL = "journal"  # bytes that are no record
    FILE = "file"  # a file by content whose content is another
    MISSING = "missing"  # a file that a run refers to is not there
    INDEX = "index"  # the database says something else than the folders
    LEFTOVER = "leftover"  # of a command that was broken off; it is in nobody's way


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something that is not as it must be.

    Attributes:
        place: the run, the file or the folder.
        is_repaired: whether it is in order now.
    """

    kind: Kind
    place: str
    text: str
    is_repaired: bool = False


@dataclass(kw_only=True)
class Verified:
    """What was looked at, and found."""

    runs: int = 0
    journals: int = 0
    journal_bytes: int = 0
    artifacts: int = 0
    artifact_bytes: int = 0
    is_quick: bool = False
    problems: list[Problem] = field(default_factory=list)

    @property
    def is_in_order(self) -> bool:
        """Whether nothing is wrong (any more); leftovers are not wrong."""
        return all(problem.is_repaired or problem.kind is Kind.LEFTOVER for problem in self.problems)


def verify(client: Client, *, mend: bool = False, quick: bool = False, now: float, bar: Bar | None = None) -> Verified:
    """Look at everything in a home. Others may work in it meanwhile.

    Args:
        mend: repair what can be.
        quick: read no file by content, and fold nothing anew.
        now: Unix seconds; leftovers are older than a day.
        bar: opens a progress bar with a title, of runs or of bytes.
    """
    work = _Work(client, mend, quick, bar or _no_bar)
    work.look_at_journals()
    work.look_at_contents()
    work.look_at_references()
    work.look_at_index()
    work.look_at_leftovers(now)
    return work.result


def _no_bar(title: str, is_in_bytes: bool) -> AbstractContextManager[Tell]:
    return nullcontext(lambda done, total: None)


@dataclass(frozen=True)
class _Read:
    """How a journal reads. `is_torn`: the rest may be the beginning of a record."""

    offset: int
    size: int
    is_torn: bool = False
    problem: str = ""


class _Work:
    def __init__(self, client: Client, mend: bool, quick: bool, bar: Bar) -> None:
        self.client = client
        self.mend = mend
        self.quick = quick
        self.bar = bar
        self.result = Verified(is_quick=quick)
        self.needed: dict[str, tuple[str, str]] = {}  # files by content, with a run that needs it, and as what
        self.rows: dict[str, RunRow] = {row.id: row for row in client.index.find(trashed=None, limit=None)}

    # ---- journals ----

    def look_at_journals(self) -> None:
        home = self.client.home
        found = run_ids(home.runs) | run_ids(home.trash)
        ids = sorted(found - home.submitting())
        with self.bar("Reading journals", False) as progress:
            for done, run_id in enumerate(ids, start=1):
                try:
                    self._look_at_run(run_id)
                except FileNotFoundError:  # moved to the trash, or deleted for good, while it was read
                    if self._is_there(run_id):
                        self._look_at_run(run_id)
                progress(done, len(ids))
        self.result.runs = len(ids)

    def _look_at_run(self, run_id: str) -> None:
        folder = self.client.index.folder(run_id)
        try:
            spec = self.client.index.read_spec(run_id)
        except RunyardError as problem:
            self._found(Kind.RUN, run_id, str(problem))
            return
        if spec.id != run_id:
            self._found(Kind.RUN, run_id, f"Its run.json belongs to run {spec.id}.")
            return
        self._need_code(spec)
        if folder.edits.exists():
            self._look_at_journal(folder, folder.edits, 0, EDITS)
        for attempt in folder.attempts():
            for stream in attempt.streams():
                self._look_at_journal(folder, attempt.journal(stream), attempt.number, stream)

    def _look_at_journal(self, folder: RunFolder, path: Path, attempt: int, stream: str) -> None:
        read = self._read(folder.id, path, attempt, stream)
        self.result.journals += 1
        self.result.journal_bytes += read.size
        place = f"{folder.id}/{path.relative_to(folder.path).as_posix()}"
        if read.problem and not read.offset:
            self._found(Kind.JOURNAL, place, read.problem)
        elif read.offset < read.size and (read.problem or self._is_over(folder, attempt)):
            is_cut = self.mend and self._is_over(folder, attempt) and _cut(path)
            rest = f"{read.size - read.offset:,} bytes from byte {read.offset:,} on"
            kind = Kind.TORN if read.is_torn else Kind.JOURNAL
            why = "are the beginning of a record" if read.is_torn else f"cannot be read ({read.problem})"
            self._found(kind, place, f"{rest} {why}.", is_repaired=is_cut)

    def _read(self, run_id: str, path: Path, attempt: int, stream: str) -> _Read:
        decoder = Decoder()
        piece_bytes = _PIECE_BYTES
        with path.open("rb") as file:
            while True:
                file.seek(decoder.offset)
                data = file.read(piece_bytes)
                before = decoder.offset
                size = before + len(data)
                try:
                    items = decoder.feed(data)
                except RunyardError as problem:
                    return _Read(0, size, problem=str(problem))
                self._need_stored(run_id, [item.event for item in items if isinstance(item, EventAt)])
                header = decoder.header
                if header and (header.run, header.attempt, header.stream) != (run_id, attempt, stream):
                    found = f"{header.run}/{header.attempt}/{header.stream}"
                    return _Read(0, size, problem=f"This is the journal {found}.")
                if decoder.problem:
                    return _Read(decoder.offset, os.fstat(file.fileno()).st_size, problem=decoder.problem)
                if decoder.offset == before:
                    if len(data) < piece_bytes:
                        return _Read(before, size, is_torn=not is_damaged(data))
                    piece_bytes *= 4  # a record larger than a piece

    def _is_over(self, folder: RunFolder, attempt: int) -> bool:
        """Whether nobody will ever write to its journals."""
        row = self.rows.get(folder.id)
        if row is None or not attempt:  # edits: whoever writes holds a lock
            return True
        if folder.attempt(attempt).is_supervised():
            return False
        return attempt < row.attempt or row.state.is_ended

    # ---- what is referred to ----

    def _need_stored(self, run_id: str, events: list[object]) -> None:
        for event in events:
            if isinstance(event, ArtifactStored):
                self.needed.setdefault(event.sha256, (run_id, event.name))
            elif isinstance(event, CodeSeen) and event.diff:
                self.needed.setdefault(event.diff, (run_id, "its uncommitted changes"))
            elif isinstance(event, DataSeen):
                for source in event.sources:
                    if source.listing:
                        self.needed.setdefault(source.listing, (run_id, "the list of its data"))

    def _need_code(self, spec: RunSpec) -> None:
        if spec.code.diff:
            self.needed.setdefault(spec.code.diff, (spec.id, "its uncommitted changes"))
        snapshot = spec.code.snapshot
        if not snapshot or snapshot in self.needed:
            return
        self.needed[snapshot] = (spec.id, "its code")
        try:
            manifest = read_manifest(snapshot, self.client.artifacts)
        except RunyardError:  # it is missing or damaged, and will be named
            return
        for name, entry in manifest.files.items():
            if entry.sha256:
                self.needed.setdefault(entry.sha256, (spec.id, f"its code: {name}"))

    def look_at_contents(self) -> None:
        sizes = self.client.artifacts.sizes()
        self.result.artifacts, self.result.artifact_bytes = len(sizes), sum(sizes.values())
        if self.quick:
            return
        done = 0
        with self.bar("Reading files", True) as progress:
            for sha256, size in sizes.items():
                self._look_at_content(sha256)
                done += size
                progress(done, self.result.artifact_bytes)

    def _look_at_content(self, sha256: str) -> None:
        try:
            found = self.client.artifacts.digest(sha256)
        except (FileNotFoundError, NotFound):  # deleted with the trash
            return
        except OSError as problem:
            self._found(Kind.FILE, sha256, f"It cannot be read: {problem.strerror}.")
            return
        if found == sha256:
            return
        if self.mend:
            self.client.artifacts.set_aside(sha256)
        text = f"Its content is that of {found[:12]}…."
        self._found(Kind.FILE, sha256, f"{text} It was put aside." if self.mend else text, is_repaired=self.mend)

    def look_at_references(self) -> None:
        for sha256, (run_id, what) in sorted(self.needed.items(), key=lambda item: item[1]):
            if not _is_stored(self.client, sha256) and self._is_there(run_id):
                self._found(Kind.MISSING, run_id, f"{what} ({sha256[:12]}…) is not in the home.")

    # ---- the index ----

    def look_at_index(self) -> None:
        index = self.client.index
        rows = index.find(trashed=None, limit=None)
        gone = [row.id for row in rows if not self._is_there(row.id)]
        for run_id in gone:
            if self.mend:
                with self.client.database.transaction() as tx:
                    lock_runs(tx, [run_id])
                    index.remove([run_id], connection=tx)
                    self.client.queue.remove(run_id, connection=tx)
            self._found(Kind.INDEX, run_id, "The index knows it, but it has no folder.", is_repaired=self.mend)
        left_out = {row.id for row in rows if not row.state.is_ended} | self._unreadable()
        found = run_ids(self.client.home.runs) | run_ids(self.client.home.trash)
        ids = sorted(found - self.client.home.submitting() - left_out)
        with self.bar("Comparing the index", False) as progress:
            for start in range(0, len(ids), _RUNS_AT_ONCE):
                batch = ids[start : start + _RUNS_AT_ONCE]
                self._compare(batch)
                progress(start + len(batch), len(ids))

    def _compare(self, run_ids: list[str]) -> None:
        index = self.client.index
        differs = checking.behind if self.quick else checking.disagreeing
        different = differs(index, run_ids)
        for run_id in different:
            index.catch_up(run_id)  # somebody may have changed it a moment ago
        for run_id in differs(index, different) if different else []:
            if not self._is_there(run_id):
                continue
            if self.mend:
                checking.fold_anew(index, [run_id])
                self.client.settle(run_id)
            self._found(Kind.INDEX, run_id, "The index says something else than its folder.", is_repaired=self.mend)

    # ---- leftovers ----

    def look_at_leftovers(self, now: float) -> None:
        for path in self._left():
            try:
                age_s = now - path.lstat().st_mtime
            except FileNotFoundError:
                continue
            if age_s < _OLD_S:
                continue
            if self.mend:
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            name = path.relative_to(self.client.home.path).as_posix()
            text = "It was left by a command that was broken off."
            self._found(Kind.LEFTOVER, name, text, is_repaired=self.mend)

    def _left(self) -> Iterator[Path]:
        for folder, patterns in _LEFT.items():
            for pattern in patterns:
                yield from sorted((self.client.home.path / folder).glob(pattern))

    # ---- all of them ----

    def _is_there(self, run_id: str) -> bool:
        return self.client.index.folder(run_id).path.is_dir()

    def _unreadable(self) -> set[str]:
        """Runs with a problem that no folding mends."""
        kinds = (Kind.RUN, Kind.JOURNAL, Kind.TORN)
        found = (each for each in self.result.problems if each.kind in kinds and not each.is_repaired)
        return {each.place.partition("/")[0] for each in found}

    def _found(self, kind: Kind, place: str, text: str, *, is_repaired: bool = False) -> None:
        self.result.problems.append(Problem(kind=kind, place=place, text=text, is_repaired=is_repaired))


def _cut(path: Path) -> bool:
    """Cut off what cannot be read; False if somebody else holds the journal."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        repair(path)
        return True


def _is_stored(client: Client, sha256: str) -> bool:
    return client.artifacts.has(sha256)
