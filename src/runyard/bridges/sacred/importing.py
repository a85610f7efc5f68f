"""Taking Sacred's runs in: each once, however often it is brought.

A run that had not ended brings what is new when it is brought again; of one that had, only tags and notes that
Omniboard has gained since.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from runyard.bridges.intake import Arriving, Foreign, Imported, begin
from runyard.bridges.sacred.folders import FolderReader, TinyDbReader, is_tinydb
from runyard.bridges.sacred.names import numbered, series_name, tags_of
from runyard.bridges.sacred.originals import Original, Reader, Series, Unreadable
from runyard.bridges.sacred.sql import SqlReader, is_sqlite
from runyard.bridges.sacred.values import moment, plain, times_ns
from runyard.client import Client
from runyard.errors import JournalDamaged, MissingExtra, RunyardError, ServiceError, UsageError
from runyard.index.rows import to_ns
from runyard.journal.events import Environment
from runyard.records import RunState

DOCUMENT = "sacred/run.json"  # the whole document of a run, as Sacred had it
DEFAULT_PROJECT = "sacred"
SILENT = timedelta(minutes=10)  # Sacred's heart beats every ten seconds

_ENDS = {
    "COMPLETED": RunState.COMPLETED,
    "FAILED": RunState.FAILED,
    "TIMEOUT": RunState.TIMED_OUT,
    "INTERRUPTED": RunState.STOPPED,
}
_OPEN = ("QUEUED", "RUNNING")
_SQL = (
    "sqlite:",
    "postgresql:",
    "postgresql+",
    "postgres:",
    "mysql:",
    "mysql+",
    "mariadb:",
    "mariadb+",
    "mssql",
    "oracle",
)
_MOST_LABELS = 200
_LONGEST_LABEL = 500
_LARGEST_STEP = 2**63 - 1


def reader_of(source: str, *, prefix: str | None = None) -> Reader:
    """What reads a source: a MongoDB, a folder of FileStorageObserver or TinyDbObserver, a database of SqlObserver.

    Raises:
        UsageError: there is nothing there, or something else.
        MissingExtra: pymongo or psycopg is needed.
        ServiceError: the database cannot be used.
    """
    if source.startswith(("mongodb://", "mongodb+srv://")):
        try:
            from runyard.bridges.sacred.mongo import MongoReader
        except ImportError:
            raise MissingExtra(extra="mongo", purpose="Reading Sacred's MongoDB") from None
        return MongoReader(source, prefix=prefix)
    if source.startswith(_SQL):
        return SqlReader(source)
    if "://" in source and not source.startswith("file://"):
        raise UsageError(
            f"'{source}' is no source. Name mongodb://HOST/DATABASE, a folder that an observer wrote, or "
            "sqlite:///FILE or postgresql://HOST/DATABASE of an SqlObserver."
        )
    path = Path(source.removeprefix("file://"))
    if is_sqlite(path):
        return SqlReader(f"sqlite:///{path.absolute()}")
    return TinyDbReader(path) if is_tinydb(path) else FolderReader(path)


def take_in(
    client: Client,
    reader: Reader,
    *,
    project: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
    now: datetime | None = None,
) -> Imported:
    """Bring all runs of a reader into a project.

    Args:
        progress: called with how many runs are done, and of how many.
        now: the time that a heartbeat is compared with, aware; None: that of the clock.

    Raises:
        NotAllowed, ServiceError: nothing more can be brought; what was brought so far is here.
    """
    done = Imported()
    total = reader.count()
    for number, original in enumerate(reader.runs(), start=1):
        try:
            _Incoming(original, project, now or datetime.now(UTC)).bring(client, done)
        except JournalDamaged as problem:
            done.problems.append(f"{original.place} was not taken in whole: {problem}")
        except ServiceError:
            raise
        except (RunyardError, ValueError, TypeError, OSError) as problem:
            done.problems.append(f"{original.place} was not taken in whole: {type(problem).__name__}: {problem}")
        done.problems += original.problems
        progress(number, total)
    done.problems = [*reader.problems, *done.problems]
    return done


class _Incoming:
    """One run on its way."""

    def __init__(self, original: Original, project: str, now: datetime) -> None:
        self._original = original
        self._document = original.document
        self._now = now
        self._began = self._time("start_time")
        self._heard = self._time("stop_time") or self._time("heartbeat") or self._began
        self._foreign = self._as_foreign(project)
        self._last_ns = 0

    def bring(self, client: Client, done: Imported) -> None:
        with begin(client, self._foreign) as run:
            if run.is_complete and not self._goes_on(client, run):
                done.known += 1
                self._tell_marks(client, run)
                return
            if self._began is not None:
                self._tell(run)
                done.points += self._bring_points(run)
                self._bring_files(run)
                self._end(run)
            self._tell_marks(client, run)
        if run.is_new:
            done.new += 1
        else:
            done.continued += 1

    def _goes_on(self, client: Client, run: Arriving) -> bool:
        """Whether a run that counted as lost has been heard of since."""
        row = client.index.get(run.id)
        lost = row.state is RunState.LOST and not row.trashed
        return (
            lost
            and row.last_seen_at is not None
            and self._status not in ("QUEUED", "")
            and not self._is_lost_since(row.last_seen_at)
        )

    def _is_lost_since(self, heard: datetime) -> bool:
        return self._status == "RUNNING" and (self._heard is None or self._heard <= heard)

    # ---- what it is ----

    @property
    def _status(self) -> str:
        return str(self._document.get("status") or "")

    def _time(self, name: str) -> datetime | None:
        return moment(self._document.get(name))

    def _part(self, name: str) -> Mapping[str, Any]:
        found = self._document.get(name)
        return found if isinstance(found, Mapping) else {}

    def _as_foreign(self, project: str) -> Foreign:
        experiment, host, meta = self._part("experiment"), self._part("host"), self._part("meta")
        config = plain(self._part("config"))
        command = str(self._document.get("command") or meta.get("command") or "main")
        name = _text(experiment.get("name")) or "sacred"
        mainfile = _text(experiment.get("mainfile"))
        queued = moment(meta.get("queue_time"))
        asked = min((each for each in (self._began, queued) if each is not None), default=self._heard)
        repositories = [each for each in _listed(experiment.get("repositories")) if isinstance(each, Mapping)]
        seed = config.get("seed") if isinstance(config, dict) else None
        return Foreign(
            source=self._original.source,
            project=project,
            name=f"{name} {self._document.get('_id')}" + ("" if command == "main" else f" {command}"),
            experiment=series_name(name) or None,
            created_at=asked or self._now,
            started_at=self._began,
            config=config if isinstance(config, dict) else {},
            seed=seed if isinstance(seed, int) and not isinstance(seed, bool) else None,
            host=_text(host.get("hostname")),
            command=("python", mainfile, command) if mainfile else (),
            entry=command,
            commit=next((_text(each.get("commit")) for each in repositories if each.get("commit")), None),
            is_dirty=any(each.get("dirty") is True for each in repositories),
            device_names=tuple(
                _text(each.get("model"))
                for each in _listed(_mapping(host.get("gpus")).get("gpus"))
                if isinstance(each, Mapping)
            ),
        )

    # ---- what it says ----

    def _tell(self, run: Arriving) -> None:
        assert self._began is not None  # the caller looked
        known = run.known
        if DOCUMENT not in known.files:
            run.label(self._labels(), at=self._began)
            run.environment(self._environment())
        captured = self._document.get("captured_out")
        if isinstance(captured, str) and len(captured) > known.output_chars:
            run.output(captured[known.output_chars :], at=self._heard or self._began)

    def _labels(self) -> dict[str, str]:
        document, meta = self._document, self._part("meta")
        found = {"sacred.id": str(document.get("_id")), "sacred.status": self._status}
        if document.get("result") is not None:
            found["sacred.result"] = _short(plain(document["result"]))
        if meta.get("named_configs"):
            found["sacred.named_configs"] = ", ".join(map(str, _listed(meta["named_configs"])))
        if meta.get("priority") is not None:
            found["sacred.priority"] = str(meta["priority"])
        info = {key: value for key, value in self._part("info").items() if key != "metrics"}
        for key, value in _flat(plain(info)):
            if len(found) >= _MOST_LABELS:
                break
            found[series_name(f"info.{key}")] = _short(value)
        return found

    def _environment(self) -> Environment:
        host, experiment = self._part("host"), self._part("experiment")
        gpus = _mapping(host.get("gpus"))
        packages = (str(each).split("==", 1) for each in _listed(experiment.get("dependencies")))
        return Environment(
            time_ns=to_ns(self._began or self._now),
            python=_text(host.get("python_version")),
            platform=" ".join(map(str, _listed(plain(host.get("os"))))),
            cpu=_text(host.get("cpu")),
            gpus=self._foreign.device_names,
            driver=_text(gpus.get("driver_version")),
            packages={each[0]: each[1] if len(each) > 1 else "" for each in packages},
            variables={str(key): str(value) for key, value in _mapping(host.get("ENV")).items()},
        )

    def _tell_marks(self, client: Client, run: Arriving) -> None:
        """Tags and notes of Omniboard, which falls back on the config and the comment.

        They carry a time of the original, so what was changed here since the run stays.
        """
        board = self._part("omniboard")
        config = self._foreign.config
        given = board.get("tags") if "tags" in board else config.get("tags")
        notes = board.get("notes") if isinstance(board.get("notes"), str) else self._part("meta").get("comment")
        row = client.index.get(run.id)
        if row.trashed:
            return
        at = self._heard or self._foreign.created_at
        if missing := sorted(set(tags_of(given)) - set(row.tags)):
            run.tag(missing, at=at)
        if isinstance(notes, str) and notes and notes != row.note:
            run.note(notes, at=at)

    # ---- what it logged ----

    def _bring_points(self, run: Arriving) -> int:
        passed: dict[str, int] = {}
        new = 0
        for series in self._original.series():
            key = series_name(series.name) or "untitled"
            steps, values, times = self._columns(series)
            if len(times):
                self._last_ns = max(self._last_ns, int(times.max()))
            start = min(max(run.known.points.get(key, 0) - passed.get(key, 0), 0), len(steps))
            passed[key] = passed.get(key, 0) + len(steps)
            run.points(key, steps[start:], values[start:], times[start:])
            new += len(steps) - start
        result = self._document.get("result") if self._status not in _OPEN else None
        for key, value in _results(plain(result)):
            if not run.known.points.get(key) and key not in passed:
                at = to_ns(self._heard or self._now)
                run.points(key, np.zeros(1, np.int64), np.array([value]), np.array([at], np.int64))
        return new

    def _columns(self, series: Series) -> Any:
        """Steps, values and times of the points that can be read, three arrays of one length."""
        place = f"{self._original.place}, metric {series.name[:100]!r}"
        lengths = {len(series.steps), len(series.values)} | ({len(series.times)} if series.times is not None else set())
        count = min(lengths)
        if len(lengths) > 1:
            self._original.problems.append(
                f"{place}: {len(series.steps):,} steps, {len(series.values):,} values and "
                f"{'no' if series.times is None else len(series.times)} times; only {count:,} points are whole."
            )
        times = None if series.times is None else times_ns(series.times[:count])
        if series.times is None or (times is None and count):
            times = np.full(count, to_ns(self._began or self._now), np.int64)
        elif times is None:
            times = np.zeros(0, np.int64)
        if len(times) < count:
            self._original.problems.append(f"{place}: the times after point {len(times):,} cannot be read.")
            count = len(times)
        steps, good_steps = _integers(series.steps[:count])
        values, good_values = _floats(series.values[:count])
        good = good_steps & good_values
        if not good.all():
            bad = int(count - good.sum())
            at = int(np.flatnonzero(~good)[0])
            example = series.values[at] if good_steps[at] else series.steps[at]
            self._original.problems.append(
                f"{place}: {bad:,} of {count:,} points are no numbers, the first at {at:,}: {str(example)[:60]!r}."
            )
        return steps[good], values[good], times[good]

    def _bring_files(self, run: Arriving) -> None:
        at = self._heard or self._foreign.created_at
        names: dict[str, int] = {}
        known = frozenset(run.known.files)
        for each in self._original.files():
            count = names[each.name] = names.get(each.name, 0) + 1
            name = numbered(each.name, count)
            if name in known:
                continue
            try:
                run.file(name, each.read(), at=at)
            except (Unreadable, UsageError, OSError) as problem:
                self._original.problems.append(f"{self._original.place}, file {name}: {problem}.")
        if self._status not in _OPEN or self._is_silent:
            kept = {key: value for key, value in self._document.items() if key != "captured_out"}
            run.file(DOCUMENT, json.dumps(plain(kept), indent=1, default=str).encode(errors="replace"), at=at)

    # ---- how it ended ----

    @property
    def _is_silent(self) -> bool:
        return self._heard is None or self._now - self._heard > SILENT

    def _end(self, run: Arriving) -> None:
        at = self._heard or self._foreign.created_at
        status = self._status
        if status == "RUNNING" and not self._is_silent:
            return
        if status in ("RUNNING", "QUEUED", ""):
            why = "Sacred never told its end; its last heartbeat was the last that was heard of it"
            run.end(RunState.LOST, at=at, reason=why)
        elif status == "FAILED":
            run.end(RunState.FAILED, at=at, failure=_failure(self._document.get("fail_trace")))
        elif status == "COMPLETED":
            run.end(RunState.COMPLETED, at=at)
        else:
            run.end(_ENDS.get(status, RunState.STOPPED), at=at, reason=f"{status} in Sacred")


def _failure(trace: Any) -> tuple[str, str, str]:
    text = "".join(str(line) for line in trace) if isinstance(trace, list) else str(trace or "")
    last = text.rstrip("\n").rpartition("\n")[2].strip()
    kind, _, message = last.partition(":")
    if not kind or " " in kind:
        kind, message = "Exception", last
    return kind, message.strip(), text


def _integers(values: list[Any]) -> Any:
    """Whole numbers as an array, and which of the values are some."""
    try:
        found = np.array(values)
        if found.dtype == np.int64 and found.ndim == 1:
            return found, np.ones(len(values), bool)
    except (ValueError, OverflowError):
        pass  # uneven: one by one
    good = np.array([_is_step(each) for each in values], bool)
    return np.array([int(each) if fine else 0 for each, fine in zip(values, good, strict=True)], np.int64), good


def _floats(values: list[Any]) -> Any:
    """Numbers as an array, and which of the values are some."""
    try:
        found = np.array(values)
        if found.dtype.kind in "fi" and found.ndim == 1:
            return found.astype(np.float64), np.ones(len(values), bool)
    except (ValueError, OverflowError):
        pass  # uneven: one by one
    numbers = [_number(each) for each in values]
    good = np.array([each is not None for each in numbers], bool)
    return np.array([0.0 if each is None else each for each in numbers], np.float64), good


def _is_step(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -_LARGEST_STEP <= value <= _LARGEST_STEP and float(value).is_integer()


def _number(value: Any) -> float | None:
    if isinstance(value, Mapping):
        value = plain(value)
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return float(value) if isinstance(value, int | float) else None


def _results(value: Any, name: str = "result") -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _results(each, series_name(f"{name}/{key}"))
    elif isinstance(value, int | float):
        yield name, float(value)


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from _flat(each, f"{name}.{key}" if name else str(key))
    elif name:
        yield name, value


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= _LONGEST_LABEL else text[: _LONGEST_LABEL - 1] + "…"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
