"""Finding run files below a folder, and gathering what they say of each run beside its histories."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runyard.bridges.protobuf import NotAMessage
from runyard.bridges.trees import put, take_away
from runyard.bridges.wandb import messages, values
from runyard.bridges.wandb.framing import RunFile
from runyard.bridges.wandb.messages import ArtifactSaid, Changes, EnvironmentSaid, ItemReader, RunSaid
from runyard.errors import NotFound, UsageError

_NS = 1_000_000_000
_FILES = "files"
_METADATA = "wandb-metadata.json"


@dataclass(kw_only=True)
class Told:
    """All that the files of one run say, but for its histories and its output.

    Attributes:
        files: its run files, the oldest first: one that was resumed has several.
        config, summary: nested.
        heard_ns: the latest time that any record tells; 0: none does.
        exit_code: None: no file tells an end.
        written_s: when a file was last written to, in seconds since 1970.
        problems: a sentence for each thing that could not be read.
    """

    run: RunSaid
    files: list[RunFile] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    environment: EnvironmentSaid = field(default_factory=EnvironmentSaid)
    artifacts: list[ArtifactSaid] = field(default_factory=list)
    used: list[str] = field(default_factory=list)
    saved: list[str] = field(default_factory=list)
    version: str = ""
    heard_ns: int = 0
    exit_code: int | None = None
    was_preempted: bool = False
    written_s: float = 0.0
    size_bytes: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def source(self) -> str:
        """What names the run for good."""
        return f"wandb:{self.run.entity}/{self.run.project}/{self.run.id}"

    @property
    def place(self) -> str:
        return f"run {self.run.id} in {self.files[0].path.parent}"

    @property
    def folders(self) -> list[Path]:
        """Where its files are, the oldest first."""
        return [file.path.parent / _FILES for file in self.files]


def run_files(root: Path) -> list[Path]:
    """The run files below a folder, or the one that is named.

    Raises:
        NotFound: there are none.
    """
    if root.is_file():
        return [root]
    found = sorted(_walk(root))
    if not found:
        raise NotFound(f"{root} holds no run files of W&B (wandb/…run-…/run-….wandb). Name the folder `wandb`.")
    return found


def gather(paths: list[Path]) -> tuple[list[Told], list[str]]:
    """What the files say, a run at a time, in the order in which they began; and what could not be read at all."""
    runs: dict[str, Told] = {}
    problems: list[str] = []
    for path in paths:
        try:
            told = _told(path)
        except (UsageError, OSError) as problem:
            problems.append(str(problem))
            continue
        if not told.run.id:
            problems += [
                *told.problems,
                f"{path} does not say which run it is of; it ends after {told.size_bytes:,} bytes.",
            ]
        elif told.source in runs:
            runs[told.source] = _joined(runs[told.source], told)
        else:
            runs[told.source] = told
    return sorted(runs.values(), key=lambda told: told.run.start_ns), problems


def _walk(root: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(root):
        found = [name for name in names if name.startswith("run-") and name.endswith(".wandb")]
        yield from (Path(place, name) for name in found)
        folders[:] = [] if found else [name for name in folders if not name.startswith(".") or name == ".wandb"]


def _told(path: Path) -> Told:
    file = RunFile(path)
    stat = path.stat()
    told = Told(run=RunSaid(), files=[file], written_s=stat.st_mtime, size_bytes=stat.st_size)
    history: memoryview | None = None
    items, summary = (
        ItemReader(),
        dict[messages.Path, bytes](),
    )  # what is said last of a summary counts: often it is said with every step
    for record in file.records():
        try:
            kind, message = messages.kind_of(record)
            if kind == messages.HISTORY:
                history = message
            elif kind == messages.SUMMARY:
                summary |= items.summary(message)
            else:
                _add(told, kind, message)
        except NotAMessage as problem:
            told.problems.append(f"{path}: a record of {len(record):,} bytes cannot be read: {problem}.")
    _change(told.summary, Changes(put=[each for each in summary.items() if each[1]]), told)
    if history is not None:
        told.heard_ns = max(told.heard_ns, _history_ns(history))
    told.problems += file.problems
    told.heard_ns = max(told.heard_ns, told.run.start_ns)
    _add_metadata(told.environment, path.parent / _FILES / _METADATA)
    return told


def _add_metadata(found: EnvironmentSaid, path: Path) -> None:
    """Complete what is known of where it ran by the file that older versions wrote instead of a record."""
    try:
        said = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return  # current ones have none
    if not isinstance(said, dict):
        return
    for name in ("os", "python", "program", "host", "executable"):
        if isinstance(said.get(name), str):
            setattr(found, name, getattr(found, name) or said[name])
    if isinstance(said.get("username"), str):
        found.user = found.user or said["username"]
    if isinstance(said.get("args"), list):
        found.args = found.args or [str(each) for each in said["args"]]
    if isinstance(said.get("git"), dict):
        found.commit = found.commit or str(said["git"].get("commit") or "")
    if isinstance(said.get("cpu_count_logical"), int):
        found.cpu_count = found.cpu_count or said["cpu_count_logical"]
    if isinstance(said.get("gpu_devices"), list):
        found.gpus = found.gpus or [str(each.get("name")) for each in said["gpu_devices"] if isinstance(each, dict)]


def _add(told: Told, kind: int, message: memoryview) -> None:
    match kind:
        case messages.RUN:
            _begin(told, messages.run_said(message))
        case messages.CONFIG:
            _change(told.config, messages.changes(message), told)
        case messages.EXIT:
            told.exit_code, runtime_s = messages.exit_said(message)
            told.heard_ns = max(told.heard_ns, told.run.start_ns + runtime_s * _NS)
        case messages.PREEMPTING:
            told.was_preempted = True
        case messages.HEADER:
            told.version = messages.version(message)
        case messages.ENVIRONMENT:
            messages.add_environment(message, told.environment)
        case messages.ARTIFACT:
            told.artifacts.append(messages.artifact(message))
        case messages.USED:
            told.used.append(messages.used(message))
        case messages.FILES:
            told.saved += messages.files_said(message)
        case messages.STATS:
            told.heard_ns = max(told.heard_ns, messages.stats(message)[0])
        case messages.OUTPUT | messages.OUTPUT_RAW:
            told.heard_ns = max(told.heard_ns, messages.output(message)[0])


def _begin(told: Told, said: RunSaid) -> None:
    """A run says all of itself again when something of it changes."""
    _change(told.config, said.config, told)
    _change(told.summary, said.summary, told)  # of the run that it goes on with
    for name, value in vars(said).items():
        if value and name not in ("config", "summary"):
            setattr(told.run, name, value)


def _change(tree: dict[str, Any], said: Changes, told: Told) -> None:
    for path, value in said.put:
        if not path or path[0] == "_wandb":
            continue
        try:
            put(tree, path, values.exactly(value))
        except values.Unreadable as problem:
            told.problems.append(f"{told.files[0].path}: the setting {'.'.join(path)[:100]} cannot be read: {problem}.")
    for path in said.gone:
        if path:
            take_away(tree, path)


def _history_ns(message: memoryview) -> int:
    try:
        _, items = ItemReader().history(message)
        time_s = values.row_of([item for item in items if item[0] == ("_timestamp",)])[2]
    except (NotAMessage, values.Unreadable):
        return 0
    return time_ns(time_s) if time_s else 0


def time_ns(time_s: float) -> int:
    """Nanoseconds since 1970, to the microsecond, of seconds."""
    return round(time_s * 1e6) * 1000


def _joined(first: Told, second: Told) -> Told:
    """A run that was resumed: what it said last counts."""
    if second.run.start_ns < first.run.start_ns:
        first, second = second, first
    start_ns = first.run.start_ns or second.run.start_ns
    run = RunSaid(**{name: value or getattr(first.run, name) for name, value in vars(second.run).items()})
    run.start_ns = start_ns
    return Told(
        run=run,
        files=[*first.files, *second.files],
        config=first.config | second.config,
        summary=first.summary | second.summary,
        environment=second.environment,
        artifacts=[*first.artifacts, *second.artifacts],
        used=[*first.used, *second.used],
        saved=[*first.saved, *second.saved],
        version=second.version,
        heard_ns=max(first.heard_ns, second.heard_ns),
        exit_code=second.exit_code,
        was_preempted=second.was_preempted,
        written_s=max(first.written_s, second.written_s),
        size_bytes=first.size_bytes + second.size_bytes,
        problems=[*first.problems, *second.problems],
    )
