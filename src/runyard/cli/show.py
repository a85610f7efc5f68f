"""`runyard show`: everything about one run."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from runyard.cli import columns, documents, formats, screen, tables, target
from runyard.client.runs import AttemptStory, StoredFile, TrackedRun
from runyard.index import RunRow
from runyard.index.diff import flatten
from runyard.records import RunState

_TRACEBACK_LINES = 25  # from the end, where the reason stands


def show(*, run: str, as_json: bool) -> None:
    """Everything about one run."""
    with target.opened() as client:
        tracked = TrackedRun(client, target.find_run(client, run))
        attempts, files = tracked.attempts, tracked.artifacts()
        if as_json:
            documents.write(_document(tracked, attempts, files))
            return
        now = datetime.now(UTC)
        _head(tracked, now)
        _config(tracked)
        _metrics(tracked.row)
        _attempts(attempts, now)
        _traceback(tracked, attempts)
        _code(tracked)
        _data(attempts)
        _environment(attempts)
        _files(files)
        _next(tracked)


def remaining(row: RunRow, now: datetime) -> str:
    """`40 of 100 epochs, 3 min left`; empty for a run that reported no progress."""
    progress = row.progress
    if progress is None:
        return ""
    share = f"{100 * progress.done / progress.total:.0f} %, " if progress.total else ""
    text = f"{share}{formats.number(progress.done)} of {formats.number(progress.total)} {progress.label}".rstrip()
    if row.state != RunState.RUNNING or progress.remaining_s is None:
        return text
    left_s = max(progress.remaining_s - (now - progress.last_at).total_seconds(), 0)
    return f"{text}, about {formats.duration(left_s)} left"


def _head(run: TrackedRun, now: datetime) -> None:
    row = run.row
    mark = screen.paint("  in the trash", "red") if row.trashed else ""
    screen.say(f"{screen.paint(row.id, 'bold')}  {screen.plain(row.name)}  {screen.paint_state(row.state)}{mark}")
    pairs = [
        ("reason", row.reason),
        ("project", row.project if row.kind == "train" else f"{row.project} ({row.kind})"),
        ("experiment", row.experiment or ""),
        ("grid", row.grid or ""),
        (
            "created",
            f"{formats.moment(row.created_at)}, {formats.age(row.created_at, now)}, by {row.user or 'unknown'}",
        ),
        ("took", formats.duration(columns.elapsed_s(row, now))),
        ("progress", remaining(row, now)),
        ("host", row.host),
        ("devices", ", ".join(_devices(row.devices, row.device_names))),
        ("data", row.data or ""),
        ("reproduces", run.spec.reproduces or ""),
        ("tags", ", ".join(row.tags)),
        ("parent", row.parent or ""),
        ("source", row.source),
        ("note", row.note),
        *(("warning", warning) for warning in row.warnings),
    ]
    _say_pairs([(name, value) for name, value in pairs if value])


def _config(run: TrackedRun) -> None:
    settings = flatten(run.config)
    if not settings:
        return
    remark = f"{formats.plural(len(run.changed), 'key')} changed, marked with *" if run.changed else "all defaults"
    _heading("Config", "" if run.row.kind == "external" else remark)  # whose defaults nobody knows
    names = [f"* {key}" if key in run.changed else f"  {key}" for key in settings]
    values = [screen.plain(formats.setting(value)) for value in settings.values()]
    painted = [
        screen.paint(value, "yellow") if key in run.changed else value
        for key, value in zip(settings, values, strict=True)
    ]
    tables.show_pairs(list(zip(names, painted, strict=True)), indent="")


def _metrics(row: RunRow) -> None:
    if not row.summary:
        return
    _heading("Metrics", "value @ step")
    rows = []
    for key, metric in sorted(row.summary.items(), key=lambda item: item[0].startswith("sys/")):  # the host's come last
        facts = [(metric.last, metric.last_step), (metric.min, metric.min_step), (metric.max, metric.max_step)]
        cells = [f"{_amount(key, value)} @ {step}" if value is not None else "" for value, step in facts]
        rows.append([tables.Cell(text) for text in [key, *cells, f"{metric.count:,}"]])
    titles = ("last", "min", "max", "points")
    tables.show(
        [tables.Column("metric", is_vital=True), *(tables.Column(title, is_right=True) for title in titles)], rows
    )


def _amount(key: str, value: float) -> str:
    return formats.size(value) if key.startswith("sys/") and key.endswith("_bytes") else formats.number(value)


def _attempts(attempts: Sequence[AttemptStory], now: datetime) -> None:
    if not attempts:
        return
    _heading("Attempts")
    rows = []
    for story in attempts:
        state = str(story.state or RunState.RUNNING)
        end = story.ended_at or (now if story.started_at else None)
        took = (end - story.started_at).total_seconds() if end and story.started_at else None
        rows.append(
            [
                tables.Cell(str(story.number)),
                tables.Cell(state, screen.STATE_COLOURS.get(state, "")),
                tables.Cell(formats.moment(story.started_at)),
                tables.Cell(formats.duration(took)),
                tables.Cell(story.host),
                tables.Cell(", ".join(_devices(story.devices, story.device_names))),
                tables.Cell(_first_line(story.reason)),
            ]
        )
    titles = ("#", "state", "started", "took", "host", "devices", "reason")
    tables.show([tables.Column(title, is_vital=title in ("#", "state", "reason")) for title in titles], rows)
    for key, path in attempts[-1].data_paths.items():
        screen.say(f"  {screen.plain(key)} was {screen.plain(path)} there")


def _traceback(run: TrackedRun, attempts: Sequence[AttemptStory]) -> None:
    if not attempts or not attempts[-1].traceback or run.state == RunState.COMPLETED:
        return
    lines = screen.plain_lines(attempts[-1].traceback.rstrip())
    left_out = len(lines) - _TRACEBACK_LINES
    _heading("Traceback", f"the last {_TRACEBACK_LINES} lines of {len(lines)}" if left_out > 0 else "")
    for line in lines[-_TRACEBACK_LINES:]:
        screen.say(f"  {line}")


def _code(run: TrackedRun) -> None:
    code = run.code
    commit = f"{code.commit[:12]}{' with uncommitted changes' if code.is_dirty else ''}" if code.commit else ""
    pairs = [
        ("commit", f"{commit} on {code.branch}" if commit and code.branch else commit),
        ("snapshot", (code.snapshot or "")[:12]),
        ("command", " ".join(run.spec.command)),
        ("folder", run.spec.project_dir),
    ]
    pairs = [(name, value) for name, value in pairs if value]
    if pairs:
        _heading("Code")
        _say_pairs(pairs)


def _data(attempts: Sequence[AttemptStory]) -> None:
    sources = attempts[-1].data if attempts else ()
    if not sources:
        return
    _heading("Data", "as the latest attempt found them")
    rows = []
    for each in sources:
        mark = f"content {each.contents[:12]}" if each.contents else f"times {each.times[:12]}"
        facts = [f"{each.files:,}", formats.size(each.size_bytes), mark, each.path]
        rows.append([each.key, *(["", "", each.problem, each.path] if each.problem else facts)])
    titles = ("named by", "files", "size", "fingerprint", "path")
    tables.show(
        [tables.Column(title, is_right=title in ("files", "size"), is_vital=title == "named by") for title in titles],
        [[tables.Cell(screen.plain(text)) for text in row] for row in rows],
    )


def _environment(attempts: Sequence[AttemptStory]) -> None:
    environment = attempts[-1].environment if attempts else None
    if environment is None:
        return
    _heading("Environment")
    cores = f" ({formats.plural(environment.cpu_count, 'core')})" if environment.cpu_count else ""
    pairs = [
        ("python", f"{environment.python}, {formats.plural(len(environment.packages), 'package')}"),
        ("platform", environment.platform),
        ("cpu", f"{environment.cpu}{cores}" if environment.cpu else ""),
        ("memory", formats.size(environment.memory_bytes) if environment.memory_bytes else ""),
        ("gpus", ", ".join(environment.gpus)),
        ("driver", environment.driver),
    ]
    _say_pairs([(name, value) for name, value in pairs if value])


def _files(files: Sequence[StoredFile]) -> None:
    if not files:
        return
    _heading("Files", formats.size(sum(file.size_bytes for file in files)))
    rows = [[file.name, file.kind, formats.size(file.size_bytes), file.sha256[:12]] for file in files]
    titles = ("name", "kind", "size", "sha256")
    tables.show(
        [tables.Column(title, is_right=title == "size", is_vital=title == "name") for title in titles],
        [[tables.Cell(text) for text in row] for row in rows],
    )


def _next(run: TrackedRun) -> None:
    hints = [f"runyard logs {run.id}{' -f' if run.state == RunState.RUNNING else ''}"]
    hints += [f"runyard chart {run.id} KEY"] if run.summary else []
    can_retry = run.row.kind != "external" and run.state.is_ended and run.state != RunState.COMPLETED
    hints += [f"runyard retry {run.id}"] if can_retry else []
    screen.say()
    screen.say(screen.paint("Next: " + "   ".join(hints), "dim"))


def _heading(text: str, remark: str = "") -> None:
    screen.say()
    screen.say(screen.paint(text, "bold") + (screen.paint(f"  {remark}", "dim") if remark else ""))


def _say_pairs(pairs: Sequence[tuple[str, str]]) -> None:
    tables.show_pairs([(name, screen.plain(value)) for name, value in pairs])


def _devices(devices: Sequence[str], names: Sequence[str]) -> list[str]:
    named = [name if name and name != device else device for device, name in zip(devices, names, strict=False)]
    return named + list(devices[len(named) :])


def _first_line(text: str) -> str:
    return text.split("\n", 1)[0]


def _document(run: TrackedRun, attempts: Sequence[AttemptStory], files: Sequence[StoredFile]) -> dict[str, Any]:
    environment = attempts[-1].environment if attempts else None
    return documents.run(run.row) | {
        "command": list(run.spec.command),
        "project_dir": run.spec.project_dir,
        "attempts": [
            {
                "number": story.number,
                "state": story.state and str(story.state),
                "reason": story.reason,
                "host": story.host,
                "user": story.user,
                "devices": list(story.devices),
                "started_at": story.started_at,
                "ended_at": story.ended_at,
                "exit_code": story.exit_code,
                "traceback": story.traceback,
            }
            for story in attempts
        ],
        "environment": environment
        and {
            "python": environment.python,
            "platform": environment.platform,
            "cpu": environment.cpu,
            "gpus": list(environment.gpus),
            "driver": environment.driver,
            "packages": dict(sorted(environment.packages.items())),
            "variables": dict(sorted(environment.variables.items())),
        },
        "reproduces": run.spec.reproduces,
        "data_sources": [
            {
                "key": source.key,
                "path": source.path,
                "files": source.files,
                "size_bytes": source.size_bytes,
                "names": source.names,
                "times": source.times,
                "contents": source.contents or None,
                "problem": source.problem,
            }
            for source in (attempts[-1].data if attempts else ())
        ],
        "files": [
            {"name": file.name, "kind": file.kind, "size_bytes": file.size_bytes, "sha256": file.sha256}
            for file in files
        ],
    }
