"""What CI calls."""

from pathlib import Path
from typing import Annotated

import typer

from runyard.cli.options import Json

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def ci() -> None:
    """What CI calls: report metrics, queue a test.

    \b
    runyard ci report --baseline main --metrics metrics.txt
    runyard ci run -- python -m pytest tests/integration
    """


@app.command("report")
def report(
    baseline: Annotated[
        str,
        typer.Option("--baseline", metavar="BRANCH|RUN", help="What to compare with: a branch's best run, or a run."),
    ] = "main",
    run: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="What to report [the best run of this commit or branch].")
    ] = None,
    metrics: Annotated[
        Path | None, typer.Option("--metrics", metavar="FILE", help="Write the metrics in OpenMetrics' form.")
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Write the run, compared with the baseline, into one HTML file."),
    ] = None,
    comment: Annotated[
        bool, typer.Option("--comment", help="On the merge request, in one comment that is edited the next time.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Metrics before and after, for a merge request.

    The comment needs a token with the scope `api` in RUNYARD_GITLAB_TOKEN or GITLAB_TOKEN; without one it is left out
    with a remark. In GitHub Actions the table also stands on the page of the job.

    \b
    runyard ci report --baseline main
    runyard ci report --baseline main --report report.html
    runyard ci report --baseline "$CI_MERGE_REQUEST_TARGET_BRANCH_NAME" --metrics metrics.txt --comment
    """
    from runyard.cli import ci_report as command

    command.report(baseline=baseline, run=run, metrics=metrics, page=page, comment=comment, as_json=as_json)


@app.command("run", context_settings={"ignore_unknown_options": True})
def run(
    command_line: Annotated[list[str], typer.Argument(metavar="COMMAND...", show_default=False)],
    priority: Annotated[int, typer.Option(help="Higher goes first; trainings have 0.")] = 100,
    gpus: Annotated[int | None, typer.Option(help="[one where there is any]")] = None,
    time: Annotated[str, typer.Option(help="Time limit: 90s, 30m, 2h.", metavar="30m")] = "30m",
) -> None:
    """Let the queue run a command of the project on a GPU, before trainings that wait; show its output.

    The exit code is that of the command. Some worker must work the queue.

    \b
    runyard ci run -- python -m pytest tests/integration
    runyard ci run --time 10m -- python -m pytest tests/integration -m gpu
    """
    from runyard.cli import ci_run as command

    command.run_queued(command_line, priority=priority, gpus=gpus, time_limit=time)
