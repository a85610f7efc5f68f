"""`runyard best`: the leaderboard."""

from collections.abc import Sequence
from typing import Annotated

import typer

from runyard.cli import columns, completion, documents, formats, groups, screen, tables, target
from runyard.client import Client
from runyard.errors import NotFound
from runyard.index import RunRow
from runyard.index.groups import Aggregate
from runyard.project.project import Direction
from runyard.records import RunState

app = typer.Typer(rich_markup_mode=None)


@app.command()
def best(
    metric: Annotated[
        str | None,
        typer.Option("--metric", "-m", metavar="KEY", autocompletion=completion.metric, help="What counts."),
    ] = None,
    goal: Annotated[
        Direction | None, typer.Option(help="Whether high or low is good [what runyard.toml says].")
    ] = None,
    last: Annotated[bool, typer.Option("--last", help="The last value of each run instead of its best.")] = False,
    group: Annotated[
        str, typer.Option(metavar="KEYS", help="Fold runs: all-but-seed, or config keys with commas.")
    ] = groups.ALL_BUT_SEED,
    where: Annotated[str | None, typer.Option("--where", "-w", metavar="QUERY", help="Only runs that match.")] = None,
    project: Annotated[str | None, typer.Option(help="Of this project [that of the current folder].")] = None,
    all_projects: Annotated[bool, typer.Option("--all", "-a", help="Of all projects.")] = False,
    unfinished: Annotated[bool, typer.Option("--unfinished", help="Also runs that did not complete.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """The leaderboard: the best settings by a metric, over all seeds.

    Each run counts with its best value (or --last), each row is the mean ± standard deviation of its runs. Without
    --metric the first metric of runyard.toml counts. Only completed runs take part, unless --unfinished.

    \b
    runyard best --metric val/accuracy
    runyard best --metric train/loss --goal min --group optim.lr
    """
    with target.opened() as client:
        place = target.chosen_project(project, all_projects=all_projects)
        rows = client.index.find(target.checked_query(where), project=place, sort="created_at", limit=None)
        rows = [row for row in rows if unfinished or row.state == RunState.COMPLETED]
        key = metric or _headline(client, rows)
        candidates = [row for row in rows if key in row.summary]
        if not candidates:
            raise _nobody_has_it(key, rows, unfinished=unfinished)
        direction = goal or target.declared_metrics(client, candidates).get(key) or target.direction_of(key)
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
