"""Submitting runs: all of them or none, and only those that are missing.

The folders come first, since they are the truth, then one transaction for the index and the queue. A
marker file lists the ids meanwhile: if the submitting process is killed in between, the next command
finds the marker and removes the half of the work that no row refers to. While the marker is there,
nobody else takes the folders for runs (`Home.submitting`).
"""

import fcntl
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from runyard.database import keep_code
from runyard.errors import ConflictError, FormatUnknown, NotFound, UsageError
from runyard.index import RunRow
from runyard.journal import RunFolder
from runyard.records import RUN_FORMAT, RunId, RunSpec, RunState, decode_spec, encode_spec, is_run_id

if TYPE_CHECKING:
    from runyard.client.client import Client

_LONGEST_NAME = 300
_LARGEST = 1_000_000


class Planned(Protocol):
    """A run of a plan, as far as it matters here."""

    @property
    def config_id(self) -> str: ...


@dataclass(frozen=True)
class Sorted:
    """A plan beside what is known already; each list holds positions in the plan."""

    missing: list[int] = field(default_factory=list)
    finished: list[int] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)  # queued, held or running
    failed: list[int] = field(default_factory=list)
    retried: dict[int, str] = field(default_factory=dict)  # position -> id of the run to try again

    @property
    def todo(self) -> int:
        """How many runs will go into the queue."""
        return len(self.missing) + len(self.retried)


def sort_out(planned: Sequence[Planned], known: Iterable[RunRow], *, code_id: str | None, retry: bool) -> Sorted:
    """Compare a plan with the runs of its project.

    A run is the same if its config is the same and its code is the same; with `code_id` None the config decides alone.
    A run that failed or was stopped is left alone unless `retry`.
    """
    latest: dict[str, RunRow] = {}
    for row in sorted(known, key=lambda row: (row.created_at, row.id)):
        if code_id is not None and row.code.code_id != code_id:
            continue
        before = latest.get(row.config_id)
        if before is None or before.state != RunState.COMPLETED:  # a completed one answers the question for good
            latest[row.config_id] = row
    result = Sorted()
    for position, item in enumerate(planned):
        row_or_none = latest.get(item.config_id)
        state = RunState(row_or_none.state) if row_or_none else None
        if row_or_none is None or state is None:
            result.missing.append(position)
        elif state is RunState.COMPLETED:
            result.finished.append(position)
        elif not state.is_ended:
            result.waiting.append(position)
        elif retry:
            result.retried[position] = row_or_none.id
        else:
            result.failed.append(position)
    return result


def submit(client: "Client", specs: Sequence[RunSpec], *, into_queue: bool = True) -> None:
    """Create folders, then rows. See the module's docstring for what a crash leaves."""
    ids = [spec.id for spec in specs]
    marker = client.home.submission(f"{os.getpid()}-{time.time_ns()}")
    with _announced(marker, ids):
        try:
            for spec in specs:
                _create_folder(client.home.runs, spec, is_from_elsewhere=not into_queue)
            with client.database.transaction() as connection:
                keep_code(connection)
                _require_code(client, specs)
                client.index.add_runs(specs, connection=connection)
                queued = [spec for spec in specs if spec.is_queued and into_queue]
                client.queue.add(connection, queued, now=time.time())
        except BaseException:
            _take_back(client, ids)
            marker.unlink()
            raise
        marker.unlink()


def announce(client: "Client", specs: Sequence[RunSpec], *, into_queue: bool) -> list[RunId]:
    """See `Client.announce`. A caller that got no answer asks again, so what is here already is no problem."""
    problems = [sentence for spec in specs if (sentence := _misfit(spec))]
    if problems:
        raise UsageError(" ".join(problems))
    known = client.index.known([spec.id for spec in specs])
    for spec in specs:
        if spec.id in known and read_spec(client.folder(spec.id)) != spec:
            raise ConflictError(f"Another run has the id {spec.id}. Submit it again, with an id of its own.")
    fresh = [spec for spec in specs if spec.id not in known]
    if fresh:
        submit(client, fresh, into_queue=into_queue)
    return [spec.id for spec in fresh]


def _misfit(spec: RunSpec) -> str:
    """What no run of ours has, as a sentence; empty if there is nothing."""
    if not is_run_id(spec.id):
        return f"'{spec.id[:40]}' is no run id."
    if spec.created_at.tzinfo is None:
        return f"Run {spec.id} was created at a time without a zone."
    for what, text in (("project", spec.project), ("name", spec.name)):
        if not text or len(text) > _LONGEST_NAME or not text.isprintable():
            return f"Run {spec.id} has no proper {what}: it needs 1 to {_LONGEST_NAME} printable characters."
    if spec.retries < 0 or abs(spec.priority) > _LARGEST or spec.retries > _LARGEST:
        return f"Run {spec.id} has a priority or a number of retries beyond {_LARGEST:,}."
    if spec.format != RUN_FORMAT:
        return f"Run {spec.id} has format {spec.format}; this Runyard knows format {RUN_FORMAT}."
    return ""


def recover(client: "Client") -> None:
    """Take back what a killed `submit` left behind."""
    for marker in client.home.submissions():
        try:
            with marker.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _take_back(client, _decode_ids(file.read()))
                marker.unlink(missing_ok=True)
        except (BlockingIOError, FileNotFoundError):  # it is being submitted right now, or has just been
            continue


def read_spec(folder: RunFolder) -> RunSpec:
    """Read run.json.

    Raises:
        NotFound: there is none.
        FormatUnknown: it is of another version, or damaged.
    """
    try:
        spec = decode_spec(folder.spec.read_bytes())
    except FileNotFoundError:
        raise NotFound(f"{folder.path} holds no run.json.") from None
    except msgspec.MsgspecError as error:
        raise FormatUnknown(f"{folder.spec} cannot be read: {error}.") from None
    if spec.format != RUN_FORMAT:
        raise FormatUnknown(f"{folder.spec} has format {spec.format}; this Runyard knows format {RUN_FORMAT}.")
    return spec


def _create_folder(runs: Path, spec: RunSpec, *, is_from_elsewhere: bool) -> None:
    """The folder appears with its run.json or not at all; a name with a dash is no run id, so nobody looks into it."""
    draft = RunFolder(runs / f"draft-{spec.id}")
    draft.path.mkdir()
    draft.spec.write_bytes(encode_spec(spec))
    if is_from_elsewhere:  # before anybody sees it, or the reaper would miss whoever executes it
        draft.attempt(1).mark_delivered()
    os.rename(draft.path, runs / spec.id)


@contextmanager
def _announced(marker: Path, ids: Sequence[str]) -> Iterator[None]:
    """Write the marker and keep it locked; it appears whole and locked, so that nobody takes it for a left one."""
    draft = marker.with_name(f".{marker.name}")
    with draft.open("xb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(msgspec.json.encode(ids))
            file.flush()
            os.fsync(file.fileno())
            os.rename(draft, marker)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        yield


def _require_code(client: "Client", specs: Sequence[RunSpec]) -> None:
    """Whoever empties the trash deletes code inside a transaction: what is here now stays for these runs."""
    for snapshot in {spec.code.snapshot for spec in specs if spec.code.snapshot}:
        if not client.artifacts.has(snapshot):
            raise ConflictError("The code was deleted with the trash while it was being submitted. Submit it again.")


def _decode_ids(data: bytes) -> list[str]:
    try:
        return msgspec.json.decode(data, type=list[str])
    except msgspec.MsgspecError:
        return []  # garbled by a crash of the machine: no folder is made before the marker is on the disk


def _take_back(client: "Client", ids: Sequence[str]) -> None:
    """Remove the folders of a submission that did not come to its end, unless it did: a row of it is proof."""
    if client.index.known(ids) or any(_has_begun(client.home.run(run_id)) for run_id in ids):
        return
    for run_id in ids:
        shutil.rmtree(client.home.run(run_id).path, ignore_errors=True)
        shutil.rmtree(client.home.runs / f"draft-{run_id}", ignore_errors=True)


def _has_begun(folder: RunFolder) -> bool:
    """Whether something happened to a run since: then its rows were there, and only the database was lost."""
    return folder.edits.exists() or any(attempt.streams() for attempt in folder.attempts())
