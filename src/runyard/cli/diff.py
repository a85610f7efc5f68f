"""`runyard diff`: only what differs between runs."""

from collections.abc import Callable, Sequence
from typing import Any

from runyard.cli import documents, formats, screen, tables, target
from runyard.cli.choices import Section
from runyard.client import Client, differences
from runyard.client.runs import TrackedRun
from runyard.errors import UsageError

_MOST_LINES = 200  # of one diff on the screen; JSON has all
_DIFF_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


_VALUES: dict[Section, Callable[[Sequence[TrackedRun]], differences.Values]] = {
    Section.CONFIG: differences.config,
    Section.METRICS: differences.metrics,
    Section.DATA: differences.data,
    Section.PACKAGES: differences.packages,
    Section.ENVIRONMENT: differences.environment,
}


def diff(*, runs: list[str], section: list[Section] | None, as_json: bool) -> None:
    """What differs between runs: config, metrics, data, code, packages, environment, output."""
    with target.opened() as client:
        compared = [TrackedRun(client, row) for row in target.find_runs(client, runs)]
        if len(compared) < 2:
            raise UsageError("A comparison needs two different runs or more: runyard diff RUN RUN…")
        wanted = section or list(Section)
        if as_json:
            documents.write(
                {"runs": [run.id for run in compared]} | {s: _document(client, compared, s) for s in wanted}
            )
            return
        equal = [each for each in wanted if not _show(client, compared, each)]
    if equal:
        screen.say(screen.paint("Equal: ", "dim") + ", ".join(equal))


def _show(client: Client, runs: Sequence[TrackedRun], section: Section) -> bool:
    """Print a section; whether there was a difference."""
    if section in _VALUES:
        is_different = _show_values(section, runs, _VALUES[section](runs))
        if section is Section.DATA and is_different:
            _show_data(client, runs)
        return is_different
    if section is Section.CODE:
        return _show_code(runs, differences.code(client, runs))
    return _show_output(differences.output(runs))


def _show_values(section: Section, runs: Sequence[TrackedRun], values: differences.Values) -> bool:
    if not values:
        return False
    _heading(section)
    rows = []
    for name, by_run in values.items():
        texts = [_text(by_run, run.id) for run in runs]
        rows.append([tables.Cell(name), *(tables.Cell(t, "yellow" if t != texts[0] else "") for t in texts)])
    titles = [tables.Column("", is_vital=True), *(tables.Column(run.id, is_vital=True) for run in runs)]
    if section is Section.CONFIG:
        rows.insert(0, [tables.Cell("name"), *(tables.Cell(run.name, "dim") for run in runs)])
    tables.show(titles, rows)
    screen.say()
    return True


def _show_data(client: Client, runs: Sequence[TrackedRun]) -> None:
    """The files behind the numbers; the later runs are compared with the first."""
    for run in runs[1:]:
        for change in differences.data_changes(client, runs[0], run):
            screen.say(f"  {run.id}  {screen.plain(change.sentence())}")
    screen.say()


def _show_code(runs: Sequence[TrackedRun], changes: Sequence[differences.CodeChange]) -> bool:
    for change in changes:
        _heading(Section.CODE, f"{runs[0].id} → {change.run_id}")
        if change.problem:
            screen.say(f"  {screen.plain(change.problem)}")
        for file in change.files:
            screen.say(f"  {file.kind:<8} {screen.plain(file.path)}{'' if file.diff else '  (no text)'}")
        for file in change.files:
            _show_lines(file.diff)
        screen.say()
    return bool(changes)


def _show_output(found: dict[str, list[str]]) -> bool:
    for run_id, lines in found.items():
        _heading(Section.OUTPUT, f"of {run_id}")
        _show_lines(lines)
        screen.say()
    return bool(found)


def _show_lines(lines: Sequence[str]) -> None:
    for line in lines[:_MOST_LINES]:
        screen.say("  " + screen.paint(screen.plain(line.expandtabs(4)), _DIFF_COLOURS.get(line[:1], "")))
    if len(lines) > _MOST_LINES:
        screen.say(screen.paint(f"  … and {len(lines) - _MOST_LINES:,} more lines; --json has them all", "dim"))


def _heading(section: Section, remark: str = "") -> None:
    screen.say(screen.paint(section.capitalize(), "bold") + (f"  {screen.paint(remark, 'dim')}" if remark else ""))


def _text(by_run: dict[str, Any], run_id: str) -> str:
    if run_id not in by_run:
        return "–"
    value = by_run[run_id]
    return formats.number(value) if isinstance(value, float) else formats.setting(value)


def _document(client: Client, runs: Sequence[TrackedRun], section: Section) -> Any:
    if section in _VALUES:
        return _VALUES[section](runs)
    if section is Section.OUTPUT:
        return differences.output(runs)
    return [
        {
            "run": change.run_id,
            "problem": change.problem,
            "files": [{"path": file.path, "kind": file.kind, "diff": file.diff} for file in change.files],
        }
        for change in differences.code(client, runs)
    ]
