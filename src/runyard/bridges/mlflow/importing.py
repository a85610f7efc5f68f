"""Taking MLflow's runs in: each once, however often and from whichever of its stores it is brought.

What was brought is gone on with: a run that had not ended brings what is new, an ended one is left alone.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from runyard.bridges.intake import Arriving, Foreign, Imported, begin
from runyard.bridges.mlflow.folder import FolderReader
from runyard.bridges.mlflow.keys import ours
from runyard.bridges.mlflow.model import FAILED, FINISHED, KILLED, Points, Reader, TheirRun, Unreadable
from runyard.bridges.mlflow.rest import RestReader
from runyard.bridges.mlflow.sqlite import SqliteReader
from runyard.client import Client
from runyard.config.scalars import setting
from runyard.errors import RunyardError, ServiceError, UsageError
from runyard.index.merge import nested
from runyard.records import RunState, tag_of

_SQLITE = "sqlite:///"
_STATES = {FINISHED: RunState.COMPLETED, FAILED: RunState.FAILED, KILLED: RunState.STOPPED}
_SILENT = timedelta(days=1)  # a run that says RUNNING and logged nothing for so long has died unseen
_THEIRS = "mlflow."
_LONGEST_TAG = 200
_LONGEST_NAME = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST_MS = (2**63 - 1) // 1_000_000
_EARLIEST_MS = 0


def reader_of(source: str, *, artifacts: Path | None = None, experiments: Sequence[str] = ()) -> Reader:
    """What reads a source: an address, `sqlite:///FILE` or the path of an SQLite file, or a folder.

    Args:
        artifacts: where the files of an SQLite store lie.
        experiments: only these, by name; empty: all.

    Raises:
        UsageError: there is nothing there, or something else, or no experiment of such a name.
        ServiceError: the server cannot be reached.
    """
    if source.startswith(("http://", "https://")):
        return RestReader(source, experiments=experiments)
    if source.startswith(_SQLITE):
        return SqliteReader(Path(source.removeprefix(_SQLITE)), artifacts=artifacts, experiments=experiments)
    if "://" in source and not source.startswith("file://"):
        raise UsageError(f"'{source}' is no source. Name an address, sqlite:///FILE, or the folder `mlruns`.")
    path = Path(source.removeprefix("file://"))
    if path.is_file():
        return SqliteReader(path, artifacts=artifacts, experiments=experiments)
    return FolderReader(path, experiments=experiments)


def take_in(
    client: Client,
    reader: Reader,
    *,
    project: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Imported:
    """Bring all runs of a reader into a project.

    Args:
        progress: called with how many runs are done, and of how many.

    Raises:
        NotAllowed, ServiceError: nothing more can be brought; what was brought so far is here.
    """
    done = Imported()
    total = reader.count()
    for number, theirs in enumerate(reader.runs(), start=1):
        try:
            _take_run(client, theirs, project, done)
        except ServiceError:
            raise
        except (RunyardError, ValueError, OSError) as problem:
            done.problems.append(f"run {theirs.id} ({theirs.name}) was not taken in whole: {problem}")
        progress(number, total)
    done.problems = [*reader.problems, *done.problems]
    return done


def source_of(run_id: str) -> str:
    """The source key of a run: its id is unique wherever it is kept."""
    return f"mlflow:{run_id}"


def _take_run(client: Client, theirs: TheirRun, project: str, done: Imported) -> None:
    foreign = _foreign(theirs, project)
    with begin(client, foreign) as run:
        if run.is_complete:
            done.known += 1
            return
        at = foreign.created_at
        if run.is_new:
            labels = {key: text for key, text in theirs.tags.items() if not key.startswith("runyard.")}
            run.label(labels, at=at)
            run.configure({}, texts=theirs.params, at=at)
        last_ms = _bring_points(run, theirs)
        _bring_files(run, theirs, done)
        _end(run, theirs, last_ms)
    if run.is_new:
        done.new += 1
    else:
        done.continued += 1


def _foreign(theirs: TheirRun, project: str) -> Foreign:
    tags = theirs.tags
    began = _moment(theirs.start_ms)
    parent = tags.get("mlflow.parentRunId")
    own = (tag_of(key, text) for key, text in tags.items() if not key.startswith((_THEIRS, "runyard.")))
    return Foreign(
        source=source_of(theirs.id),
        project=project,
        name=theirs.name[:_LONGEST_NAME],
        experiment=theirs.experiment or None,
        created_at=began,
        started_at=began,
        config=nested({}, {key: setting(text) for key, text in theirs.params.items()}),
        tags=tuple(sorted(tag for tag in own if len(tag) <= _LONGEST_TAG)),
        note=tags.get("mlflow.note.content", ""),
        parent=source_of(parent) if parent else None,
        user=theirs.user,
        entry=tags.get("mlflow.source.name", ""),
        commit=tags.get("mlflow.source.git.commit") or None,
    )


def _bring_points(run: Arriving, theirs: TheirRun) -> int:
    """Bring what is not here yet of all series; return when the last point was logged, in milliseconds."""
    known = run.known.points
    last_ms = theirs.start_ms or 0
    for key, points in theirs.metrics():
        name = ours(key)
        start = known.get(name, 0)
        times = [max(_EARLIEST_MS, min(each, _LARGEST_MS)) for each in points.times_ms]
        last_ms = max(last_ms, max(times, default=0))
        new = Points(points.steps[start:], points.values[start:], times[start:])
        run.points(name, _steps(new.steps), new.values, [each * 1_000_000 for each in new.times_ms])
    return last_ms


def _bring_files(run: Arriving, theirs: TheirRun, done: Imported) -> None:
    at = _moment(theirs.end_ms or theirs.start_ms)
    known = run.known.files
    for artifact in theirs.artifacts():
        if artifact.name in known:
            continue
        try:
            run.file(artifact.name, artifact.read(), at=at)
        except (Unreadable, UsageError, OSError) as problem:
            done.problems.append(f"artifact {artifact.name} of run {theirs.id}: {problem}")


def _end(run: Arriving, theirs: TheirRun, last_ms: int) -> None:
    """Tell how it ended; of one that says RUNNING for ever, that nobody knows."""
    if theirs.status in _STATES:
        run.end(_STATES[theirs.status], at=_moment(theirs.end_ms or last_ms or theirs.start_ms))
    elif datetime.now(UTC) - _moment(last_ms) > _SILENT:
        why = f"MLflow says {theirs.status}, and nothing was logged since"
        run.end(RunState.LOST, at=_moment(last_ms), reason=why)


def _steps(steps: Sequence[int]) -> list[int]:
    return [max(-(2**63), min(step, 2**63 - 1)) for step in steps]


def _moment(time_ms: int | None) -> datetime:
    """A time; one that no calendar has is brought to the nearest that it has."""
    if time_ms is None:
        return datetime.now(UTC)
    return _EPOCH + timedelta(milliseconds=max(0, min(time_ms, _LARGEST_MS)))
