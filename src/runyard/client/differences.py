"""What differs between runs, section by section. Pure: it compares and writes nothing."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runyard.artifacts import Entry, Manifest, read_manifest
from runyard.client.client import Client
from runyard.client.runs import TrackedRun
from runyard.config.datapaths import DATA_OPTION
from runyard.datafiles import SAMPLES, Fingerprint, Listed, changed_files, is_same, read_listing
from runyard.errors import NotFound, ServiceError
from runyard.index.diff import flatten
from runyard.records import DataSource

_LARGEST_FILE_BYTES = 1 << 20  # a longer text is no code that a person wrote
_SHOWN_FILES = 5
_MOST_OUTPUT_LINES = 3000  # from the end; comparing takes the product of both lengths in the worst case

Values = dict[str, dict[str, Any]]  # what -> run id -> value; only what differs


@dataclass(frozen=True, kw_only=True)
class FileChange:
    """One file of the code that is another than in the first run. `diff`: unified, empty for binary files."""

    path: str
    kind: str  # added | removed | changed
    diff: list[str]


@dataclass(frozen=True, kw_only=True)
class CodeChange:
    """The code of a run against that of the first; `problem` says why it cannot be compared."""

    run_id: str
    files: list[FileChange]
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class DataChange:
    """Data that are not what they were.

    Attributes:
        files: names of files by what became of them: changed, added, removed; empty if no list of files tells.
        is_certain: False where the files are too large to be read, and only their times differ.
        path: where they are now.
    """

    key: str
    files: dict[str, list[str]]
    is_certain: bool
    path: str

    def sentence(self) -> str:
        """What changed, for people."""
        if not self.is_certain:
            return f"{self.key} ({self.path}): the files have the same names and sizes, but other times"
        shown = [
            f"{len(names):,} {what} ({', '.join(names[:_SHOWN_FILES])}{', …' if len(names) > _SHOWN_FILES else ''})"
            for what, names in self.files.items()
        ]
        return f"{self.key} ({self.path}): {', '.join(shown) or 'other files than then'}"


def differing_values(values: Mapping[str, Mapping[str, Any]]) -> Values:
    """Turn run id -> name -> value around and keep the names whose values differ; a missing one is a difference."""
    names = dict.fromkeys(name for known in values.values() for name in known)
    missing = object()
    found: Values = {}
    for name in names:
        column = [known.get(name, missing) for known in values.values()]
        if any(value != column[0] or isinstance(value, bool) != isinstance(column[0], bool) for value in column):
            found[name] = {run_id: known[name] for run_id, known in values.items() if name in known}
    return found


def config(runs: Sequence[TrackedRun]) -> Values:
    """The settings."""
    return differing_values({run.id: flatten(run.config) for run in runs})


def metrics(runs: Sequence[TrackedRun]) -> Values:
    """The last value of each metric; what the supervisor measured is left out, since it never agrees."""
    return differing_values(
        {run.id: {k: m.last for k, m in run.summary.items() if not k.startswith("sys/")} for run in runs}
    )


def packages(runs: Sequence[TrackedRun]) -> Values:
    """The versions of installed packages in the latest attempts."""
    return differing_values({run.id: _environment(run, "packages") for run in runs})


def environment(runs: Sequence[TrackedRun]) -> Values:
    """Host, devices, Python, platform and environment variables of the latest attempts."""
    return differing_values({run.id: _surroundings(run) for run in runs})


def data(runs: Sequence[TrackedRun]) -> Values:
    """What the latest attempts found at the paths of their data."""
    return differing_values({run.id: {each.key: _told(each) for each in sources_of(run)} for run in runs})


def data_changes(client: Client, before: TrackedRun, after: TrackedRun) -> list[DataChange]:
    """The sources of data that are not what they were for an earlier run, as far as that can be told."""
    found = [
        _data_change(client, before, now, lambda now=now: _listing(client, now))  # type: ignore[misc]  # of this loop
        for now in sources_of(after)
    ]
    return [change for change in found if change is not None]


def data_changed_since(client: Client, before: TrackedRun, now: Fingerprint) -> DataChange | None:
    """What became of a source since a run saw it; None if it is the same, or that cannot be told."""
    return _data_change(client, before, now.source, lambda: read_listing(now.listing))


def _data_change(
    client: Client, before: TrackedRun, now: DataSource, listed: Callable[[], Listed]
) -> DataChange | None:
    then = _counterpart(sources_of(before), now)
    if then is None or is_same(then, now) is True:
        return None
    files: dict[str, list[str]] = {}
    if bool(then.contents) == bool(now.contents):
        try:
            files = changed_files(_listing(client, then), listed())
        except (NotFound, ServiceError, OSError, ValueError):
            pass  # then only that they changed can be told
    return DataChange(key=now.key, files=files, is_certain=is_same(then, now) is False, path=now.path)


def _counterpart(known: Sequence[DataSource], now: DataSource) -> DataSource | None:
    """The same source in an earlier run. `--data` stands for the one source that a config names, and the reverse."""
    same = [each for each in known if each.key == now.key]
    named = [each for each in known if each.key != SAMPLES]
    is_the_only_one = len(named) == 1 and DATA_OPTION in (now.key, named[0].key) and now.key != SAMPLES
    return same[0] if same else named[0] if is_the_only_one else None


def _listing(client: Client, source: DataSource) -> Listed:
    return read_listing(client.artifacts.path(source.listing).read_bytes() if source.listing else b"")


def sources_of(run: TrackedRun) -> tuple[DataSource, ...]:
    """What the latest attempt found at the paths of its data."""
    attempts = run.attempts
    return attempts[-1].data if attempts else ()


def code(client: Client, runs: Sequence[TrackedRun]) -> list[CodeChange]:
    """The snapshots of the later runs against that of the first; runs with equal code are missing."""
    first, *others = runs
    changes = []
    for run in others:
        if run.code.snapshot == first.code.snapshot:
            continue
        try:
            files = _changed_files(client, _manifest(client, first), _manifest(client, run))
            changes.append(CodeChange(run_id=run.id, files=files))
        except (NotFound, ServiceError) as error:
            changes.append(CodeChange(run_id=run.id, files=[], problem=str(error)))
    return [change for change in changes if change.files or change.problem]


def output(runs: Sequence[TrackedRun]) -> dict[str, list[str]]:
    """What the later runs printed against what the first printed: unified diffs by run id."""
    first, *others = runs
    before = _last_lines(first)
    found = {run.id: _unified(before, _last_lines(run), f"{first.id}/output", f"{run.id}/output") for run in others}
    return {run_id: lines for run_id, lines in found.items() if lines}


def _told(source: DataSource) -> str:
    if source.problem:
        return source.problem
    mark = f"content {source.contents[:12]}" if source.contents else f"times {source.times[:12]}"
    return f"{source.files:,} file{'s' * (source.files != 1)}, {source.size_bytes:,} bytes, {mark}"


def _environment(run: TrackedRun, name: str) -> dict[str, str]:
    attempts = run.attempts
    found = attempts[-1].environment if attempts else None
    return dict(sorted(getattr(found, name).items())) if found else {}


def _surroundings(run: TrackedRun) -> dict[str, Any]:
    attempts = run.attempts
    if not attempts:
        return {}
    story = attempts[-1]
    facts: dict[str, Any] = {"host": story.host, "devices": ", ".join(story.device_names or story.devices)}
    facts |= {"user": story.user, "command": " ".join(run.spec.command)}
    if story.environment:
        known = story.environment
        facts |= {"python": known.python, "platform": known.platform, "cpu": known.cpu, "driver": known.driver}
        facts |= {"gpus": ", ".join(known.gpus), "memory_bytes": known.memory_bytes}
        facts |= {f"${name}": value for name, value in sorted(known.variables.items())}
    return facts


def _manifest(client: Client, run: TrackedRun) -> Manifest:
    if not run.code.snapshot:
        raise NotFound(f"No snapshot was taken of the code of run {run.id}.")
    return read_manifest(run.code.snapshot, client.artifacts)


def _changed_files(client: Client, before: Manifest, after: Manifest) -> list[FileChange]:
    changes = []
    for path in sorted(before.files.keys() | after.files.keys()):
        old, new = before.files.get(path), after.files.get(path)
        if old == new:
            continue
        kind = "added" if old is None else "removed" if new is None else "changed"
        texts = [_text(client, old), _text(client, new)]
        diff = _unified(texts[0], texts[1], f"a/{path}", f"b/{path}") if None not in texts else []
        changes.append(FileChange(path=path, kind=kind, diff=diff))
    return changes


def _text(client: Client, entry: Entry | None) -> list[str] | None:
    """The lines of a file; None if it is none of text."""
    if entry is None:
        return []
    if entry.link:
        return [f"link to {entry.link}"]
    if entry.size_bytes > _LARGEST_FILE_BYTES:
        return None
    data = client.artifacts.path(entry.sha256).read_bytes()
    try:
        return None if b"\0" in data else data.decode().splitlines()
    except UnicodeDecodeError:
        return None


def _last_lines(run: TrackedRun) -> list[str]:
    return run.output().splitlines()[-_MOST_OUTPUT_LINES:]


def _unified(before: list[str] | None, after: list[str] | None, old: str, new: str) -> list[str]:
    return list(difflib.unified_diff(before or [], after or [], old, new, n=2, lineterm=""))
