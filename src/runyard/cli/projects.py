"""`runyard projects`: all projects, and how far each is from its template."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from runyard.cli import documents, formats, gitlab, screen, tables, target
from runyard.errors import RunyardError, UsageError
from runyard.project.project import RUN_FILE, SETTINGS_FILE, load_project
from runyard.project.template.overview import KnownCI, ProjectState, folder_of, newest_runs, template_of

_DEPTH = 3  # folders below one that is named
_CI_COLOURS = {"success": "green", "failed": "red", "running": "cyan", "pending": "blue", "canceled": "yellow"}
GITLAB_ADDRESS = "RUNYARD_GITLAB_URL"


def show_projects(folders: Sequence[Path], *, ask_ci: bool, as_json: bool) -> None:
    """Print one row a project, of those with runs and those in the folders."""
    with target.opened() as client:
        kept = KnownCI(client.home)
        known = kept.all()
        rows = {row.project: (row, folder_of(client, row)) for row in newest_runs(client)}
        for folder in _below(folders):
            name = _name(folder)
            rows[name] = (rows[name][0] if name in rows else None, folder)  # type: ignore[assignment]  # no run yet
        found = []
        for name, (row, place) in rows.items():
            if ask_ci and place:
                try:
                    token = gitlab.token_of(os.environ)
                    state = gitlab.pipeline_state(place, token=token, address=os.environ.get(GITLAB_ADDRESS))
                    known[name] = kept.note(name, state)
                except RunyardError as error:
                    screen.remark(f"{screen.plain(name)}: {screen.plain(error)}")
            found.append(
                ProjectState(name=name, folder=place, template=template_of(place), last=row, ci=known.get(name))
            )
    if as_json:
        documents.write({"projects": [_document(each) for each in found]})
    elif not found:
        screen.say("There is no project yet. `runyard new NAME` makes one.")
    else:
        _show(found)


def _below(folders: Sequence[Path]) -> list[Path]:
    found = []
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"There is no folder {folder}.")
        for depth in range(_DEPTH + 1):
            pattern = "/".join(["*"] * depth + [RUN_FILE])
            places = [path.parent.absolute() for path in sorted(folder.glob(pattern))]
            found += [place for place in places if (place / SETTINGS_FILE).is_file()]
    return list(dict.fromkeys(found))


def _name(folder: Path) -> str:
    try:
        return load_project(folder).name
    except RunyardError:
        return folder.name


def _show(found: Sequence[ProjectState]) -> None:
    names = ("project", "template", "behind", "last run", "state", "CI", "folder")
    columns = [tables.Column(name, is_vital=name in names[:4]) for name in names]
    tables.show(columns, [_cells(each, datetime.now(UTC)) for each in found])


def _cells(each: ProjectState, now: datetime) -> list[tables.Cell]:
    template, last = each.template, each.last
    behind = "" if template is None or template.behind is None else f"{template.behind}" if template.behind else "–"
    ci = f"{each.ci.state}, {formats.age(each.ci.at, now)}" if each.ci else ""
    return [
        tables.Cell(each.name),
        tables.Cell(template.version if template else "none" if each.folder else ""),
        tables.Cell(behind, "yellow" if template and template.behind else ""),
        tables.Cell(formats.age(last.created_at, now) if last else ""),
        tables.Cell(str(last.state) if last else "", screen.STATE_COLOURS.get(str(last.state), "") if last else ""),
        tables.Cell(ci, _CI_COLOURS.get(each.ci.state, "") if each.ci else ""),
        tables.Cell(str(each.folder) if each.folder else "not on this machine"),
    ]


def _document(each: ProjectState) -> dict[str, object]:
    return {
        "name": each.name,
        "folder": str(each.folder) if each.folder else None,
        "template": {key: getattr(each.template, key) for key in ("version", "latest", "behind")}
        if each.template
        else None,
        "last_run": {"id": each.last.id, "state": str(each.last.state), "at": each.last.created_at}
        if each.last
        else None,
        "ci": {"state": each.ci.state, "at": each.ci.at} if each.ci else None,
    }
