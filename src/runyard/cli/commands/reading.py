"""Looking at runs."""

from pathlib import Path
from typing import Annotated

import typer

from runyard.cli import completion
from runyard.cli.choices import EnvironmentOf, Goal, Section
from runyard.cli.options import AllProjects, Json, OfProject, OneRun, Where

app = typer.Typer(rich_markup_mode=None)


@app.command("runs")
def runs(
    where: Where = None,
    project: OfProject = None,
    all_projects: AllProjects = False,
    group: Annotated[
        str | None, typer.Option(metavar="KEYS", help="Fold runs: all-but-seed, or config keys with commas.")
    ] = None,
    columns_: Annotated[
        str | None,
        typer.Option(
            "--columns", "-c", metavar="NAMES", autocompletion=completion.column, help="Columns, with commas."
        ),
    ] = None,
    sort: Annotated[
        str, typer.Option(metavar="FIELD", help="Field to sort by; - in front: descending.")
    ] = "-created_at",
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many [50 on a terminal].")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, all fields.")] = False,
) -> None:
    """List runs: filter, sort, fold seeds to mean ± std.

    \b
    runyard runs --where 'config.optim.lr < 0.01 and metric["val/accuracy"].max > 0.9'
    runyard runs --where 'state == "FAILED"' --columns id,name,reason
    runyard runs --group all-but-seed
    runyard runs --sort -metric:val/accuracy.max --limit 5 --json
    """
    from runyard.cli import runs as command

    command.runs(
        where=where,
        project=project,
        all_projects=all_projects,
        group=group,
        columns_=columns_,
        sort=sort,
        limit=limit,
        as_json=as_json,
    )


@app.command("best")
def best(
    metric: Annotated[
        str | None,
        typer.Option("--metric", "-m", metavar="KEY", autocompletion=completion.metric, help="What counts."),
    ] = None,
    goal: Annotated[Goal | None, typer.Option(help="Whether high or low is good [what runyard.toml says].")] = None,
    last: Annotated[bool, typer.Option("--last", help="The last value of each run instead of its best.")] = False,
    group: Annotated[
        str, typer.Option(metavar="KEYS", help="Fold runs: all-but-seed, or config keys with commas.")
    ] = "all-but-seed",
    where: Where = None,
    project: OfProject = None,
    all_projects: AllProjects = False,
    unfinished: Annotated[bool, typer.Option("--unfinished", help="Also runs that did not complete.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 20,
    as_json: Json = False,
) -> None:
    """The leaderboard: the best settings by a metric, over all seeds.

    Each run counts with its best value (or --last), each row is the mean ± standard deviation of its runs. Without
    --metric the first metric of runyard.toml counts. Only completed runs take part, unless --unfinished.

    \b
    runyard best --metric val/accuracy
    runyard best --metric train/loss --goal min --group optim.lr
    """
    from runyard.cli import best as command

    command.best(
        metric=metric,
        goal=goal,
        last=last,
        group=group,
        where=where,
        project=project,
        all_projects=all_projects,
        unfinished=unfinished,
        limit=limit,
        as_json=as_json,
    )


@app.command("show")
def show(
    run: OneRun,
    as_json: Json = False,
) -> None:
    """Everything about one run.

    Config with changed keys marked, metrics, progress, attempts and how each ended, traceback, code, files.

    \b
    runyard show last
    runyard show 8fk2 --json
    """
    from runyard.cli import show as command

    command.show(run=run, as_json=as_json)


@app.command("diff")
def diff(
    runs: Annotated[list[str], typer.Argument(metavar="RUN RUN...", autocompletion=completion.run, show_default=False)],
    section: Annotated[
        list[Section] | None, typer.Option("--section", "-s", help="Only this; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, nothing shortened.")] = False,
) -> None:
    """What differs between runs: config, metrics, data, code, packages, environment, output.

    Values stand side by side for any number of runs. Code and output of the later runs are compared with the first.

    \b
    runyard diff 8fk2 m3qd
    runyard diff 8fk2 m3qd p0zz --section config --section packages
    """
    from runyard.cli import diff as command

    command.diff(runs=runs, section=section, as_json=as_json)


@app.command("reproduce")
def reproduce(
    run: OneRun,
    tolerance: Annotated[
        list[str] | None,
        typer.Option(
            "--tolerance", metavar="[KEY=]NUMBER", help="Relative difference that counts as equal [0.001]; repeatable."
        ),
    ] = None,
    env: Annotated[
        EnvironmentOf, typer.Option(help="rebuild the packages of then, or take the same as this command has.")
    ] = EnvironmentOf.REBUILD,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="PATH", help="Where the data are now [where they were].")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a run again, with its code, config and packages of then, and compare every metric.

    Says `reproduced`, `differs by …` with what else is not as it was (data, packages, GPU), or `cannot, because …`. The
    new run is linked to the old one and tagged `reproduction`. Exit codes: 0 reproduced, 1 differs, 2 cannot.

    \b
    runyard reproduce 8fk2
    runyard reproduce 8fk2 --tolerance 1e-6 --tolerance val/loss=0.02
    runyard reproduce 8fk2 --env same --data /mnt/new-disk/weld --json
    """
    from runyard.cli import reproduce as command

    command.reproduce(run=run, tolerance=tolerance, env=env, data=data, as_json=as_json)


@app.command("chart")
def chart(
    arguments: Annotated[
        list[str], typer.Argument(metavar="RUN... KEY", autocompletion=completion.run_or_metric, show_default=False)
    ],
    log: Annotated[bool, typer.Option("--log", help="Logarithmic axis of values.")] = False,
    smooth: Annotated[float, typer.Option(min=0, max=0.999, help="0 … 0.999: how much of the past to mix in.")] = 0.0,
    time: Annotated[bool, typer.Option("--time", help="Minutes since the run's first point instead of steps.")] = False,
    height: Annotated[int | None, typer.Option(min=3, max=200, help="Lines to draw on.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The points, as JSON.")] = False,
) -> None:
    """Draw a metric of one or more runs in the terminal.

    Without a KEY, list the metrics that the run has.

    \b
    runyard chart last train/loss --log
    runyard chart 8fk2 m3qd val/accuracy --smooth 0.6
    """
    from runyard.cli import chart as command

    command.chart(arguments=arguments, log=log, smooth=smooth, time=time, height=height, as_json=as_json)


@app.command("logs")
def logs(
    run: OneRun,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
    tail: Annotated[int | None, typer.Option("--tail", "-n", min=0, help="Only the last lines.")] = None,
    attempt: Annotated[int | None, typer.Option(min=1, help="Of this attempt [the latest].")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Pieces with their times, as JSON.")] = False,
) -> None:
    """What a run printed; -f follows it, through all its attempts.

    Colours reach a terminal, a pipe gets plain text.

    \b
    runyard logs last -f
    runyard logs 8fk2 --tail 50
    runyard logs 8fk2 --attempt 1 > first.log
    """
    from runyard.cli import logs as command

    command.logs(run=run, follow=follow, tail=tail, attempt=attempt, as_json=as_json)


@app.command("ui")
def ui(
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="This port [the first free from 8765].")] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
) -> None:
    """The dashboard, in a browser on this machine.

    \b
    runyard ui
    runyard ui --port 9000 --no-browser
    """
    from runyard.cli import ui as command

    command.ui(port=port, is_browser_wanted=not no_browser)
