"""`runyard import csv` and `runyard import json`: tables become runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from runyard.bridges.intake import Imported
from runyard.bridges.tables.guessing import Choices, Layout, Role, guess
from runyard.bridges.tables.importing import take_in
from runyard.bridges.tables.reading import CsvTable, open_csv
from runyard.cli import documents, formats, screen, tables, target
from runyard.cli.progress import size_bar
from runyard.cli.skipped import tell_skipped

_BECOMES = {Role.IGNORED: "nothing", Role.STEP: "the step", Role.TIME: "the time"}
_EXAMPLE_CHARS = 40


def import_csv(
    files: Sequence[Path],
    *,
    project: str | None,
    columns: Mapping[str, list[str] | None],
    named: Mapping[str, str | None],
    dry_run: bool,
    as_json: bool,
) -> None:
    """Take tables in; exit code 1 if anything was skipped."""
    choices = Choices(**{name: tuple(given or ()) for name, given in columns.items()}, **named)  # type: ignore[arg-type]  # by name
    if dry_run:
        found = [(table, guess(table, choices)) for table in map(open_csv, files)]
        _show_guess(found, as_json=as_json)
    else:
        _bring(files, kind="csv", project=project, choices=choices, as_json=as_json)


def import_json(files: Sequence[Path], *, project: str | None, as_json: bool) -> None:
    """Take JSON Lines in; exit code 1 if anything was skipped."""
    _bring(files, kind="json", project=project, choices=None, as_json=as_json)


def _bring(files: Sequence[Path], *, kind: str, project: str | None, choices: Choices | None, as_json: bool) -> None:
    here = target.project_here()
    with target.opened() as client, size_bar("Importing runs") as progress:
        done = take_in(
            client,
            files,
            kind=kind,
            project=project,
            default=here.name if here else kind,
            choices=choices,
            progress=progress,
        )
    _tell(done, as_json=as_json)


def _tell(done: Imported, *, as_json: bool) -> None:
    if as_json:
        documents.write(
            {"new": done.new, "continued": done.continued, "known": done.known}
            | {"points": done.points, "problems": done.problems}
        )
    else:
        screen.say(
            f"{formats.plural(done.new, 'run')} with {done.points:,} points imported; "
            f"{done.continued} gone on with, {done.known} were here already."
        )
    tell_skipped(done.problems)


def _show_guess(found: Sequence[tuple[CsvTable, Layout]], *, as_json: bool) -> None:
    if as_json:
        documents.write({"files": [_document(table, layout) for table, layout in found]})
        return
    for table, layout in found:
        what = {"runs": "each row is a run", "history": "it is one run", "points": "each row is a point of a run"}
        screen.say(f"{screen.plain(table.path)}: {formats.plural(_rows(table), 'row')}; {what[layout.kind]}")
        examples = _examples(table)
        tables.show(
            [tables.Column("column", is_vital=True), tables.Column("becomes", is_vital=True), tables.Column("such as")],
            [
                [
                    tables.Cell(meaning.column),
                    tables.Cell(_BECOMES.get(meaning.role, f"{meaning.role} {meaning.name}")),
                    tables.Cell(examples.get(meaning.column, "")[:_EXAMPLE_CHARS]),
                ]
                for meaning in layout.meanings
            ],
        )
    screen.remark("Nothing was imported. --config, --metric, --tag, --ignore, --id, --step and --time change it.")


def _document(table: CsvTable, layout: Layout) -> dict[str, object]:
    columns = [{"column": each.column, "role": str(each.role), "name": each.name} for each in layout.meanings]
    return {"file": str(table.path), "kind": str(layout.kind), "rows": _rows(table), "columns": columns}


def _rows(table: CsvTable) -> int:
    return sum(1 for _ in table.rows())


def _examples(table: CsvTable) -> dict[str, str]:
    first = next((row for _, row in table.rows()), [])
    return dict(zip(table.columns, first, strict=False))
