"""`runyard runs`: the table of runs."""

from collections.abc import Sequence
from datetime import UTC, datetime

from runyard.cli import columns, documents, formats, groups, screen, tables, target
from runyard.client import Client
from runyard.errors import UsageError
from runyard.index import RunRow
from runyard.index.groups import Aggregate

_TABLE_ROWS = 50  # what a person reads; pipes and JSON get all


def runs(
    *,
    where: str | None,
    project: str | None,
    all_projects: bool,
    group: str | None,
    columns_: str | None,
    sort: str,
    limit: int | None,
    as_json: bool,
) -> None:
    """List runs: filter, sort, fold seeds to mean ± std."""
    with target.opened() as client:
        where_from = target.chosen_project(project, all_projects=all_projects)
        is_short = screen.is_terminal() and not as_json and group is None and limit is None
        wanted = _TABLE_ROWS + 1 if is_short else limit
        rows = client.index.find(target.checked_query(where), project=where_from, sort=sort, limit=wanted)
        if group is not None:
            _show_groups(client, rows, group, as_json=as_json)
        elif as_json:
            documents.write({"runs": [documents.run(row) for row in rows]})
        else:
            chosen = _chosen_columns(client, rows, columns_, project=where_from)
            _show_table(rows[:_TABLE_ROWS] if is_short else rows, chosen)
            if is_short and len(rows) > _TABLE_ROWS:
                screen.remark(f"The first {_TABLE_ROWS}; --limit shows more, --where fewer.")
        if not rows and not as_json:
            _explain_nothing(where, where_from)


def _chosen_columns(
    client: Client, rows: Sequence[RunRow], names: str | None, *, project: str | None
) -> list[columns.RunColumn]:
    if names is None:
        return columns.default(rows, target.headline_metrics(client, rows))
    try:
        return columns.chosen(names, rows)
    except UsageError:  # a key that none of these runs has may still be one that others have
        return columns.chosen(names, client.index.find(None, project=project, limit=None))


def _show_table(rows: Sequence[RunRow], shown: Sequence[columns.RunColumn]) -> None:
    if not rows:
        return
    now = datetime.now(UTC)
    tables.show(
        [tables.Column(column.title, is_right=column.is_right, is_vital=column.is_vital) for column in shown],
        [[column.cell(row, now) for column in shown] for row in rows],
    )


def _show_groups(client: Client, rows: Sequence[RunRow], by: str, *, as_json: bool) -> None:
    metrics: dict[str, Aggregate] = {
        key: target.aggregate_of(goal) for key, goal in target.headline_metrics(client, rows).items()
    }
    found = groups.fold(rows, by, metrics)
    if as_json:
        documents.write({"groups": [groups.document(group) for group in found]})
        return
    if not found:
        return
    tables.show(
        [
            tables.Column("group", is_vital=True),
            tables.Column("n", is_right=True, is_vital=True),
            tables.Column("states"),
            *(tables.Column(f"{key} {statistic}", is_right=True) for key, statistic in metrics.items()),
        ],
        [
            [
                tables.Cell(groups.title(group)),
                tables.Cell(str(len(group.rows))),
                tables.Cell(_states(group)),
                *(tables.Cell(_spread(group, key)) for key in metrics),
            ]
            for group in found
        ],
    )
    if any(group.mixes_code for group in found):
        screen.remark("Some groups hold runs of different code; `runyard diff` shows it.")


def _states(group: groups.Group) -> str:
    counts = group.states
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{count} {state}" for state, count in counts.items())


def _spread(group: groups.Group, key: str) -> str:
    spread = group.metrics.get(key)
    if spread is None:
        return ""
    text = formats.spread(spread.mean, spread.std)
    return text if spread.n == len(group.rows) else f"{text} (n={spread.n})"


def _explain_nothing(where: str | None, project: str | None) -> None:
    place = f" in project {screen.plain(project)}" if project else ""
    if where:
        screen.remark(f"No run{place} matches. `runyard runs{' --all' if project else ''}` lists them.")
    else:
        screen.remark(
            f"No runs{place} yet. `python run.py train` makes one{'; --all lists other projects' if project else ''}."
        )
