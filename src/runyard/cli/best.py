"""`runyard best`: the leaderboard."""

from collections.abc import Sequence

from runyard.cli import columns, documents, formats, groups, screen, tables, target
from runyard.cli.choices import Goal
from runyard.client import Client
from runyard.errors import NotFound
from runyard.index import RunRow
from runyard.index.groups import Aggregate
from runyard.project.project import Direction
from runyard.records import REPRODUCTION, RunState


def best(
    *,
    metric: str | None,
    goal: Goal | None,
    last: bool,
    group: str,
    where: str | None,
    project: str | None,
    all_projects: bool,
    unfinished: bool,
    limit: int,
    as_json: bool,
) -> None:
    """The leaderboard: the best settings by a metric, over all seeds."""
    with target.opened() as client:
        place = target.chosen_project(project, all_projects=all_projects)
        rows = client.index.find(target.checked_query(where), project=place, sort="created_at", limit=None)
        rows = [row for row in rows if unfinished or row.state == RunState.COMPLETED]
        rows = [row for row in rows if REPRODUCTION not in row.tags]  # a run that counts twice makes its spread small
        key = metric or _headline(client, rows)
        candidates = [row for row in rows if key in row.summary]
        if not candidates:
            raise _nobody_has_it(key, rows, unfinished=unfinished)
        direction = (
            Direction(goal)
            if goal
            else target.declared_metrics(client, candidates).get(key) or target.direction_of(key)
        )
        statistic: Aggregate = "last" if last else target.aggregate_of(direction)
        ranked = _ranked(groups.fold(candidates, group, {key: statistic}), key, direction)
    if as_json:
        documents.write(
            {
                "metric": key,
                "goal": str(direction),
                "statistic": statistic,
                "groups": [
                    groups.document(found) | {"best_run": _best_run(found, key, statistic, direction).id}
                    for found in ranked[:limit]
                ],
            }
        )
        return
    if not ranked:
        raise NotFound(f"No run has a finite value of '{key}'.")
    _show(ranked, key, statistic, direction, limit=limit)


def _show(ranked: Sequence[groups.Group], key: str, statistic: str, direction: Direction, *, limit: int) -> None:
    rows = []
    for place, group in enumerate(ranked[:limit], start=1):
        spread, top = group.metrics[key], _best_run(group, key, statistic, direction)
        value = formats.number(columns.value_of(top, key, statistic))
        texts = [str(place), formats.spread(spread.mean, spread.std), str(spread.n), value, top.id, groups.title(group)]
        rows.append([tables.Cell(text, "green" if place == 1 and i < 2 else "") for i, text in enumerate(texts)])
    tables.show(
        [
            tables.Column("#", is_right=True, is_vital=True),
            tables.Column(f"{key} {statistic}", is_right=True, is_vital=True),
            tables.Column("n", is_right=True, is_vital=True),
            tables.Column("best run", is_right=True),
            tables.Column("id", is_vital=True),
            tables.Column("settings", is_vital=True),
        ],
        rows,
    )
    if len(ranked) > limit:
        screen.remark(f"The first {limit} of {len(ranked):,}; --limit shows more.")
    if any(group.mixes_code for group in ranked[:limit]):
        screen.remark("Some rows hold runs of different code; `runyard diff` shows it.")
    first, last = (_best_run(group, key, statistic, direction).id for group in (ranked[0], ranked[-1]))
    screen.remark(f"Next: runyard show {first}" + (f"   runyard diff {first} {last}" if first != last else ""))


def _ranked(found: Sequence[groups.Group], key: str, direction: Direction) -> list[groups.Group]:
    """Best mean first; of equal ones that with more runs, then the older."""
    sign = -1 if direction == Direction.MAX else 1
    known = [group for group in found if key in group.metrics]
    return sorted(known, key=lambda group: (sign * group.metrics[key].mean, -group.metrics[key].n))


def _best_run(group: groups.Group, key: str, statistic: str, direction: Direction) -> RunRow:
    sign = -1 if direction == Direction.MAX else 1

    def rank(row: RunRow) -> tuple[bool, float]:
        value = columns.value_of(row, key, statistic)
        is_number = value is not None and value == value
        return not is_number, sign * value if value is not None and is_number else 0.0

    return min(group.rows, key=rank)


def _headline(client: Client, rows: Sequence[RunRow]) -> str:
    metrics = target.headline_metrics(client, rows, most=1)
    if not metrics:
        raise NotFound("No completed run has logged a metric yet. `runyard runs` shows what there is.")
    return next(iter(metrics))


def _nobody_has_it(key: str, rows: Sequence[RunRow], *, unfinished: bool) -> NotFound:
    known = sorted({name for row in rows for name in row.summary})
    kind = "run" if unfinished else "completed run"
    return NotFound(
        f"No {kind} has the metric '{key}'. {target.guess(key, known)}There are: {', '.join(known) or 'none'}."
    )
