"""Taking in the runs of W&B's run files: each once, however often it is brought.

A run that had not ended brings what is new when it is brought again, and so does one that was resumed.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runyard.bridges.intake import Arriving, Foreign, Imported, begin, series_name, shortened
from runyard.bridges.protobuf import NotAMessage
from runyard.bridges.wandb import folders, media, messages, values
from runyard.bridges.wandb.files import RunFiles
from runyard.bridges.wandb.folders import Told
from runyard.bridges.wandb.messages import ItemReader
from runyard.client import Client
from runyard.errors import JournalDamaged, RunyardError, ServiceError
from runyard.index.diff import flatten
from runyard.index.merge import nested
from runyard.index.rows import from_ns, to_ns
from runyard.journal.events import Environment
from runyard.records import RunState

QUIET_S = 600.0  # W&B measures the machine every few seconds; a file that nobody wrote to for so long has no writer
DEFAULT_PROJECT = "wandb"

_OUTPUT_CHARS = 1 << 16
_TOLD_EVERY = 1 << 20  # bytes
_INTERRUPTED = 255  # the exit code after Ctrl-C
_MOST_LABELS = 200
_LONGEST_LABEL = 500
_LONGEST_TAG = 200
_NS = 1_000_000_000


def take_in(
    client: Client,
    root: Path,
    *,
    project: str | None,
    outside: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    now_s: float | None = None,
) -> Imported:
    """Bring all runs below a folder.

    Args:
        project: where to; None: each into the project of its name.
        outside: also read files that lie elsewhere on this machine: what links lead to, and staged artifacts.
        progress: called with bytes done and bytes in all.
        now_s: seconds since 1970 that the age of a file is counted from; None: those of the clock.

    Raises:
        NotFound: there is no run file.
        NotAllowed, ServiceError: nothing more can be brought; what was brought so far is here.
    """
    done = Imported()
    runs, done.problems = folders.gather(folders.run_files(root))
    total, passed = sum(told.size_bytes for told in runs), 0
    for told in runs:
        incoming = _Incoming(told, project or told.run.project or DEFAULT_PROJECT, root.resolve(), outside=outside)
        try:
            for read in incoming.bring(client, done, now_s=time.time() if now_s is None else now_s):
                progress(min(passed + read, total), total)
        except JournalDamaged as problem:
            done.problems.append(f"{told.place} was not taken in whole: {problem}")
        except ServiceError:
            raise
        except (RunyardError, ValueError, OSError) as problem:
            done.problems.append(f"{told.place} was not taken in whole: {problem}")
        done.problems += told.problems
        passed += told.size_bytes
        progress(passed, total)
    return done


@dataclass
class _Printed:
    """What was printed and is not told yet."""

    text: list[str] = field(default_factory=list)
    chars: int = 0
    passed: int = 0


class _Incoming:
    """One run on its way."""

    def __init__(self, told: Told, project: str, root: Path, *, outside: bool) -> None:
        self._told = told
        self._project = project
        self._files = RunFiles(told, root, outside=outside)
        self._passed: dict[str, int] = {}
        self._shown: dict[str, Any] = {}  # the last text or list of each name: told again when it changes
        self._journalled: set[str] = set()  # media files that became events
        self._printed = _Printed()
        self._last_step = 0
        self._names: set[str] = set()

    def bring(self, client: Client, done: Imported, *, now_s: float) -> Iterator[int]:
        """Bring it; yields how many bytes are done."""
        told = self._told
        with begin(client, self._foreign()) as run:
            if run.is_complete and not self._goes_on(client, run):
                done.known += 1
                told.problems.clear()  # they were told when it came
                return
            if not run.is_new:
                self._tell_changes(client, run)
            yield from self._logged(run, done)
            has_ended = self._has_ended(now_s)
            if has_ended:
                self._summarise(run, done)
            self._files.bring(run, journalled=self._journalled, has_output=self._printed.passed > 0)
            if has_ended:
                self._end(run)
        if run.is_new:
            done.new += 1
        else:
            done.continued += 1

    def _goes_on(self, client: Client, run: Arriving) -> bool:
        """Whether a run that had ended was heard of since: it was resumed, or only counted as lost."""
        row = client.index.get(run.id)
        if row.trashed or row.last_seen_at is None:
            return False
        is_later = self._told.heard_ns - to_ns(row.last_seen_at) > _NS
        if is_later or (row.state is RunState.LOST and self._told.exit_code is not None):
            run.go_on(at=from_ns(self._told.heard_ns))
            return True
        return False

    # ---- what it is ----

    def _foreign(self) -> Foreign:
        told, run, environment = self._told, self._told.run, self._told.environment
        config = nested({}, told.config)
        seed = config.get("seed")
        began = from_ns(run.start_ns or told.heard_ns)
        return Foreign(
            source=told.source,
            project=self._project,
            name=run.name or run.id,
            experiment=shortened(run.group) or None,
            created_at=began,
            started_at=began,
            config=config,
            seed=seed if isinstance(seed, int) and not isinstance(seed, bool) else None,
            tags=tuple(tag[:_LONGEST_TAG] for tag in run.tags),
            note=run.note,
            user=environment.user,
            host=environment.host or run.host,
            command=(environment.executable or "python", environment.program, *environment.args)
            if environment.program
            else (),
            entry=Path(environment.program).name,
            commit=run.commit or environment.commit or None,
            device_names=tuple(environment.gpus),
        )

    def _tell_first(self, run: Arriving) -> None:
        """Labels and environment, after which the run file that tells of them is known to have been read."""
        at = from_ns(self._told.run.start_ns or self._told.heard_ns)
        run.label(self._labels(), at=at)
        environment = self._told.environment
        packages: dict[str, str] = {}
        for folder in self._told.folders:
            packages |= _packages(folder / "requirements.txt")
        run.environment(
            Environment(
                time_ns=to_ns(at),
                python=environment.python.rpartition(" ")[2],
                platform=environment.os,
                cpu=environment.cpu,
                cpu_count=environment.cpu_count,
                memory_bytes=min(environment.memory_bytes, (1 << 63) - 1),
                gpus=tuple(environment.gpus),
                packages=packages,
            )
        )

    def _labels(self) -> dict[str, str]:
        run = self._told.run
        said = {"id": run.id, "entity": run.entity, "project": run.project, "group": run.group}
        said |= {"job_type": run.job_type, "sweep": run.sweep, "version": self._told.version.partition("+")[0]}
        return {f"wandb.{name}": text[:_LONGEST_LABEL] for name, text in said.items() if text}

    def _tell_changes(self, client: Client, run: Arriving) -> None:
        """What was said of a run since it was brought; what people changed here since stays."""
        told = self._told
        row = client.index.get(run.id)
        at = from_ns(told.heard_ns)
        ours, theirs = flatten(row.config), flatten(nested({}, told.config))
        changed = {key: value for key, value in theirs.items() if key not in ours or ours[key] != value}
        if changed:
            run.configure(changed, at=at)
        if missing := sorted(set(told.run.tags) - set(row.tags)):
            run.tag(missing, at=at)
        if told.run.note and told.run.note != row.note:
            run.note(told.run.note, at=at)

    # ---- what it logged ----

    def _logged(self, run: Arriving, done: Imported) -> Iterator[int]:
        """Bring histories, measurements of the machine, and output, in the order in which they were written."""
        if run.is_new:
            self._tell_first(run)
        read = told_at = 0
        for file in self._told.files:
            histories = ItemReader()
            for record in file.records():
                read += len(record) + 7
                try:
                    kind, message = messages.kind_of(record)
                    if kind == messages.HISTORY:
                        self._history(run, histories, message, done)
                    elif kind == messages.STATS:
                        self._measured(run, message, done)
                    elif kind in (messages.OUTPUT, messages.OUTPUT_RAW):
                        self._print(run, *messages.output(message))
                except NotAMessage:
                    pass  # told when the file was looked through
                except values.Unreadable as problem:
                    self._told.problems.append(f"{file.path}: a record cannot be read: {problem}.")
                if read - told_at > _TOLD_EVERY:
                    told_at = read
                    yield read
        self._flush_output(run, self._told.heard_ns)

    def _history(self, run: Arriving, histories: ItemReader, message: memoryview, done: Imported) -> None:
        step, items = histories.history(message)
        numbers, others, time_s = values.row_of(items)
        if step is None:
            own = next((value for path, value in items if path == ("_step",)), b"")
            step = int(values.decoded(own)) if own else self._last_step + 1
        self._last_step = step
        time_ns = folders.time_ns(time_s) if time_s else self._told.run.start_ns
        done.points += self._row(run, numbers, step, time_ns)
        for name, value in others.items():
            self._other(run, name, value, step, time_ns)

    def _row(self, run: Arriving, numbers: dict[str, float], step: int, time_ns: int, *, host: bool = False) -> int:
        """Bring those points that are not here yet; return how many."""
        self._names.update(numbers)
        if not run.is_new:
            known, passed = run.known.points, self._passed
            for name in list(numbers):
                passed[name] = passed.get(name, 0) + 1
                if passed[name] <= known.get(name, 0):
                    del numbers[name]
        if numbers:
            # sorted: W&B writes the keys of a step in any order, and each order would be a table of its own here
            run.row(dict(sorted(numbers.items())), step=step, time_ns=time_ns, host=host)
        return len(numbers)

    def _measured(self, run: Arriving, message: memoryview, done: Imported) -> None:
        time_ns, items = messages.stats(message)
        found = {}
        for path, value in items:
            number = values.decoded(value)
            if isinstance(number, int | float):
                found[values.system_name(".".join(path))] = float(number)
        since_s = max((time_ns - self._told.run.start_ns) // _NS, 0)
        done.points += self._row(run, found, since_s, time_ns, host=True)

    def _other(self, run: Arriving, name: str, value: Any, step: int, time_ns: int) -> None:
        """Bring what is no number: media by their type, and text where it changes."""
        if isinstance(value, dict) and values.TYPE in value:
            found = list(media.media_of(name, value, self._files.find))
            for each in found:
                self._journalled.update(each.files)
                if isinstance(each, media.NotShown):
                    self._told.problems.append(f"{self._told.place}: {name} at step {step}: {each.why}.")
                elif run.is_new or (each.key, step) not in run.known.media:
                    run.media(
                        each.key,
                        each.data,
                        step=step,
                        kind=each.kind,
                        mime=each.mime,
                        at=from_ns(time_ns),
                        meta=each.meta,
                    )
            return
        if self._shown.get(name) == value:
            return
        self._shown[name] = value
        if run.is_new or (name, step) not in run.known.media:
            text = value if isinstance(value, str) else json.dumps(value, default=str)
            run.media(
                name, text.encode(errors="replace"), step=step, kind="text", mime="text/plain", at=from_ns(time_ns)
            )

    def _print(self, run: Arriving, time_ns: int, line: str) -> None:
        printed = self._printed
        known = 0 if run.is_new else run.known.output_chars
        skipped = min(max(known - printed.passed, 0), len(line))
        printed.passed += len(line)
        printed.text.append(line[skipped:])
        printed.chars += len(line) - skipped
        if printed.chars > _OUTPUT_CHARS:
            self._flush_output(run, time_ns)

    def _flush_output(self, run: Arriving, time_ns: int) -> None:
        if self._printed.chars:
            run.output("".join(self._printed.text), at=from_ns(time_ns or self._told.heard_ns))
            self._printed = _Printed(passed=self._printed.passed)

    def _summarise(self, run: Arriving, done: Imported) -> None:
        """What the summary has beyond the histories: a number becomes a series of one point, a text a label."""
        numbers: dict[str, float] = {}
        texts: dict[str, str] = {}
        for name, value in flatten(_without_media(self._told.summary)).items():
            key = series_name(name)
            if isinstance(value, int | float):
                numbers[key] = float(value)
            elif isinstance(value, str) and key not in self._shown and len(texts) < _MOST_LABELS:
                texts[f"wandb.summary.{key}"] = value[:_LONGEST_LABEL]
        seen = self._names | set(run.known.points)
        new = {key: number for key, number in numbers.items() if not {key, key.rpartition(".")[0]} & seen}
        if new:
            run.row(new, step=self._last_step, time_ns=self._told.heard_ns)
            done.points += len(new)
        if texts:
            run.label(texts, at=from_ns(self._told.heard_ns))

    # ---- how it ended ----

    def _has_ended(self, now_s: float) -> bool:
        return self._told.exit_code is not None or now_s - self._told.written_s > QUIET_S

    def _end(self, run: Arriving) -> None:
        told = self._told
        for file in told.files:
            if file.torn_bytes:
                told.problems.append(f"{file.path} ends in the middle of a record: its last {file.torn_bytes:,} bytes.")
        at, code = from_ns(told.heard_ns), told.exit_code
        if code is None:
            run.end(
                RunState.LOST,
                at=at,
                reason="W&B's file tells no end; its last record was the last that was heard of it",
            )
        elif told.was_preempted and code:
            run.end(RunState.INTERRUPTED, at=at, exit_code=code, reason="preempted, says W&B")
        elif code == _INTERRUPTED:
            run.end(RunState.STOPPED, at=at, exit_code=code, reason="stopped by Ctrl-C")
        elif code:
            run.end(RunState.FAILED, at=at, exit_code=code, reason=f"exit code {code}")
        else:
            run.end(RunState.COMPLETED, at=at, exit_code=0)


def _without_media(tree: dict[str, Any]) -> dict[str, Any]:
    """A summary without media and without what W&B keeps there for itself."""
    return {
        key: _without_media(value) if isinstance(value, dict) else value
        for key, value in tree.items()
        if not (isinstance(value, dict) and values.TYPE in value) and key not in values.OWN
    }


def _packages(path: Path) -> dict[str, str]:
    """What a requirements.txt pins."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition("==") for line in lines)
    return {name.strip(): version.strip() for name, sign, version in pairs if sign}
