"""Changing runs."""

from typing import Annotated

import typer

from runyard.cli.choices import CleaningRule
from runyard.cli.commands import trash
from runyard.cli.options import AllProjects, Json, OfProject, OneRun, Runs, Yes

app = typer.Typer(rich_markup_mode=None)
app.add_typer(trash.app, name="trash")


@app.command("stop")
def stop(
    runs: Runs = None,
    where: Annotated[
        str | None, typer.Option("--where", "-w", metavar="QUERY", help="All unended runs that match.")
    ] = None,
    why: Annotated[str, typer.Option(help="The reason; it is kept with the run.")] = "",
) -> None:
    """Stop running runs, or take waiting ones out of the queue.

    Training gets SIGTERM and some seconds to save; then the whole process tree is ended.

    \b
    runyard stop 8fk2 --why 'diverged'
    runyard stop --where 'grid == "lr-7f3a" and state == "QUEUED"'
    """
    from runyard.cli import stop as command

    command.stop(runs=runs, where=where, why=why)


@app.command("retry")
def retry(
    runs: Runs = None,
    where: Annotated[
        str | None,
        typer.Option("--where", "-w", metavar="QUERY", help="All that match and ended otherwise than COMPLETED."),
    ] = None,
) -> None:
    """Put ended runs back into the queue, as a new attempt.

    They keep their id, their settings and the code they were submitted with, and resume from their checkpoints.

    \b
    runyard retry 8fk2
    runyard retry --where 'state == "OUT_OF_MEMORY"'
    """
    from runyard.cli import retry as command

    command.retry(runs=runs, where=where)


@app.command("tag", context_settings={"ignore_unknown_options": True})  # -draft is a tag to remove, not an option
def tag(
    run: OneRun,
    changes: Annotated[list[str], typer.Argument(metavar="+TAG|-TAG...", show_default=False)],
) -> None:
    """Add tags (+x, or just x) and remove tags (-y).

    \b
    runyard tag 8fk2 +baseline -draft
    """
    from runyard.cli import tag as command

    command.tag(run=run, changes=changes)


@app.command("note")
def note(
    run: OneRun,
    text: Annotated[str, typer.Argument(metavar="TEXT", show_default=False)],
) -> None:
    """Write a note on a run; it replaces the one before, and an empty text removes it.

    \b
    runyard note 8fk2 'diverges after epoch 30, see #12'
    """
    from runyard.cli import note as command

    command.note(run=run, text=text)


@app.command("rename")
def rename(
    run: OneRun,
    name: Annotated[str, typer.Argument(metavar="NAME", show_default=False)],
) -> None:
    """Give a run another name. Its id stays.

    \b
    runyard rename 8fk2 'baseline v2'
    """
    from runyard.cli import rename as command

    command.rename(run=run, name=name)


@app.command("rm")
def rm(
    runs: Runs = None,
    where: Annotated[
        str | None, typer.Option("--where", "-w", metavar="QUERY", help="All that match, of the current project.")
    ] = None,
    yes: Yes = False,
) -> None:
    """Move runs to the trash. `runyard trash restore` brings them back, `runyard trash empty` frees the disk.

    All of them or none: a run that still waits or runs must be stopped first.

    \b
    runyard rm 8fk2
    runyard rm --where 'state == "FAILED" and "keep" not in tags' --yes
    """
    from runyard.cli import rm as command

    command.rm(runs=runs, where=where, yes=yes)


@app.command("clean")
def clean(
    rule: Annotated[CleaningRule, typer.Argument(help="checkpoints, files, failed or trash.", show_default=False)],
    older: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Only of runs that ended so long ago [30d; 0 with --keep].", show_default=False
        ),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="No more than brings each project down to this size, oldest first: 50GB.",
            show_default=False,
        ),
    ] = None,
    project: OfProject = None,
    all_projects: AllProjects = False,
    dry: Annotated[bool, typer.Option("--dry-run", help="Only show it.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Make room: checkpoints or failed runs of long ago go to the trash, or the trash goes for good.

    Tagged runs are kept, and the best run of every grid keeps its checkpoints. With --keep only as much goes as is
    above a size: checkpoints, or (files) whole runs with all that they stored, the oldest first.

    \b
    runyard clean checkpoints --older 30d --dry-run
    runyard clean checkpoints --keep 50GB --all
    runyard clean files --keep 200GB --dry-run
    runyard clean failed --older 14d --all
    runyard clean trash
    """
    from runyard.cli import clean as command
    from runyard.client.cleaning import Rule

    command.clean(
        rule=Rule(rule.value),
        older=older,
        keep=keep,
        project=project,
        all_projects=all_projects,
        dry=dry,
        yes=yes,
        as_json=as_json,
    )
