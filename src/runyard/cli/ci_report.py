"""`runyard ci report`: metrics before and after, in a file, on the screen, on the merge request."""

import os
from pathlib import Path

from runyard.cli import documents, gitlab, screen, target
from runyard.cli.report import Request, write_report
from runyard.client import Client
from runyard.errors import NotFound, UsageError
from runyard.git import read_state
from runyard.index import RunRow
from runyard.project.project import Direction, Project, find_project

MARKER = "<!-- runyard: model metrics -->"
_MOST_METRICS = 20
_OF_THE_HOST = ("sys/", "host/", "gpu/")

Rows = list[tuple[str, float | None, float | None]]  # metric, before, after


def report(
    *, baseline: str, run: str | None, metrics: Path | None, page: Path | None, comment: bool, as_json: bool
) -> None:
    """Compare the best run of this commit or branch with that of the baseline."""
    project = find_project()
    with target.opened() as client:
        after = target.find_run(client, run) if run else _best_here(client, project)
        before = _baseline(client, project, baseline)
    keys = _keys(project, [row for row in (before, after) if row])
    rows = [(key, _value(before, key, project), _value(after, key, project)) for key in keys]
    if metrics:
        metrics.write_text(_open_metrics(rows), encoding="utf-8")
    if page and after:
        is_other = before is not None and before.id != after.id
        write_report(Request(runs=(after.id,), out=page, compare=before.id if before and is_other else None))
    text = _markdown(project, before, after, rows, baseline)
    if as_json:
        documents.write(_document(before, after, rows))
    else:
        screen.say("\n".join(screen.plain(line) for line in text.splitlines()))
    _to_github(text)
    if comment:
        screen.remark(gitlab.comment(f"{MARKER}\n{text}", marker=MARKER, variables=os.environ))


def _best_here(client: Client, project: Project) -> RunRow | None:
    """The best run of the commit that CI works on, else of its branch; None: there is none."""
    state = read_state(project.root)
    commit = os.environ.get("CI_COMMIT_SHA") or os.environ.get("GITHUB_SHA") or (state.commit if state else None)
    branch = (
        os.environ.get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME")
        or os.environ.get("GITHUB_HEAD_REF")
        or os.environ.get("CI_COMMIT_BRANCH")
        or (state.branch if state else None)
    )
    rows = _completed(client, project)
    of_commit = [row for row in rows if commit and row.code.commit == commit]
    return _best(of_commit or [row for row in rows if branch and row.code.branch == branch], project)


def _baseline(client: Client, project: Project, name: str) -> RunRow | None:
    """The best run of a branch, else the run that the name means."""
    of_branch = [row for row in _completed(client, project) if row.code.branch == name]
    if of_branch:
        return _best(of_branch, project)
    try:
        return target.find_run(client, name)
    except (NotFound, UsageError):
        return None


def _completed(client: Client, project: Project) -> list[RunRow]:
    rows = client.index.find('state == "COMPLETED"', project=project.name, limit=None)
    return [row for row in rows if row.experiment != "ci"]  # those are commands


def _best(rows: list[RunRow], project: Project) -> RunRow | None:
    """By the first metric of runyard.toml; without one the latest."""
    key = next(iter(project.metrics), None)
    judged = [(value, row) for row in rows if key and (value := _value(row, key, project)) is not None]
    if key is None or not judged:
        return max(rows, key=lambda row: row.created_at, default=None)
    sign = -1 if project.metrics[key] is Direction.MIN else 1
    return max(judged, key=lambda pair: sign * pair[0])[1]


def _keys(project: Project, rows: list[RunRow]) -> list[str]:
    there = {key for row in rows for key in row.summary if not key.startswith(_OF_THE_HOST)}
    declared = [key for key in project.metrics if key in there]
    return (declared + sorted(there - set(declared)))[:_MOST_METRICS]


def _value(row: RunRow | None, key: str, project: Project) -> float | None:
    """The best value of a metric that is judged by, the last one of any other."""
    if row is None or key not in row.summary:
        return None
    summary = row.summary[key]
    goal = project.metrics.get(key)
    return summary.last if goal is None else summary.min if goal is Direction.MIN else summary.max


def _open_metrics(rows: Rows) -> str:
    """Values as OpenMetrics text: GitLab shows how they differ from those of the target branch."""
    lines = []
    for key, _, value in rows:
        if value is not None:
            name = "".join(sign if sign.isascii() and sign.isalnum() else "_" for sign in key)
            name = f"_{name}" if name[:1].isdigit() else name
            lines += [f"# TYPE {name} gauge", f"{name} {value:.10g}"]
    return "\n".join([*lines, "# EOF\n"])


def _markdown(
    project: Project,
    before: RunRow | None,
    after: RunRow | None,
    rows: Rows,
    baseline: str,
) -> str:
    head = f"**Model metrics of {project.name}**"
    if after is None:
        return f"{head}\n\nThere is no completed run of this commit or branch: `python run.py train` makes one.\n"
    lines = [head, "", f"| metric | before ({_cell(baseline)}) | after | change |", "|---|---:|---:|---:|"]
    for key, old, new in rows:
        change = "" if old is None or new is None else _change(new - old, project.metrics.get(key))
        lines.append(f"| {_cell(key)} | {_number(old)} | {_number(new)} | {change} |")
    compared = f"run {before.id} with " if before else "no run of the baseline is known; this is "
    return "\n".join([*lines, "", f"Compared: {compared}run {after.id}.", ""])


def _change(difference: float, goal: Direction | None) -> str:
    sign = (
        "" if goal is None or not difference else " better" if (difference > 0) == (goal is Direction.MAX) else " worse"
    )
    return f"{difference:+.4g}{sign}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _cell(text: str) -> str:
    """Text of users in a cell of a table: no markup, no HTML, no mention of anybody."""
    return "".join(sign if sign.isalnum() or sign in "/ .-_=" else f"&#{ord(sign)};" for sign in text[:80])


def _to_github(text: str) -> None:
    """The page of a job in GitHub Actions shows what is in this file."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(text)


def _document(before: RunRow | None, after: RunRow | None, rows: Rows) -> dict[str, object]:
    return {
        "before": before.id if before else None,
        "after": after.id if after else None,
        "metrics": {key: {"before": old, "after": new} for key, old, new in rows},
    }
