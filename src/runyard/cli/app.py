"""The commands of `runyard`, and nothing but their options.

What a command does stands in a file of its own name, and is imported when it is called: with it come the
database and NumPy, which help and completion need not wait for.
"""

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from runyard import __version__
from runyard.cli import completion, screen
from runyard.cli.choices import CleaningRule, Framework, Goal, Section
from runyard.cli.server_app import server_app

HEADINGS = {
    "Runs": ("runs", "best", "show", "diff", "chart", "logs", "ui"),
    "Changing runs": ("stop", "retry", "tag", "note", "rename", "rm", "trash", "clean"),
    "The queue": ("reserve",),
    "Travelling": ("export", "import"),
    "The team's server": ("login", "logout", "whoami", "push", "pull", "sync", "server"),
    "Projects and the home": ("new", "reindex", "doctor", "verify", "backup", "restore"),
}
COMMANDS = tuple(name for names in HEADINGS.values() for name in names)

OneRun = Annotated[str, typer.Argument(metavar="RUN", autocompletion=completion.run, show_default=False)]
Runs = Annotated[list[str] | None, typer.Argument(metavar="RUN...", autocompletion=completion.run, show_default=False)]
Where = Annotated[str | None, typer.Option("--where", "-w", metavar="QUERY", help="Only runs that match.")]
OfProject = Annotated[str | None, typer.Option(help="Of this project [that of the current folder].")]
AllProjects = Annotated[bool, typer.Option("--all", "-a", help="Of all projects.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
Database = Annotated[
    str | None, typer.Option("--database", metavar="URL", help="postgresql://… instead of the file in the home.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


class HeadedGroup(TyperGroup):
    """Lists its commands under headings."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # Click's types, which Typer does not export
        for heading, names in HEADINGS.items():
            commands = [self.get_command(ctx, name) for name in names]
            with formatter.section(heading):
                formatter.write_dl([(command.name, command.get_short_help_str(100)) for command in commands if command])


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        screen.say(f"runyard {__version__}")
        raise typer.Exit


app = typer.Typer(cls=HeadedGroup, rich_markup_mode=None)
trash_app = typer.Typer(rich_markup_mode=None, invoke_without_command=True)
app.add_typer(trash_app, name="trash")
app.add_typer(server_app, name="server")


@app.callback()
def options(
    home: Annotated[
        str | None, typer.Option("--home", metavar="FOLDER", help="Where the runs are [RUNYARD_HOME, or ~/.runyard].")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Runs, grids and GPUs of your projects, on your own machines.

    A RUN is an id or the first characters of one, a name, or `last`.

    \b
    runyard runs                            what ran in this project
    runyard best --metric val/accuracy      which setting is best, over all seeds
    runyard show last                       everything about the latest run
    """
    if home is not None:
        os.environ["RUNYARD_HOME"] = os.path.abspath(os.path.expanduser(home))  # for processes we start, too


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
    """What differs between runs: config, metrics, code, packages, environment, output.

    Values stand side by side for any number of runs. Code and output of the later runs are compared with the first.

    \b
    runyard diff 8fk2 m3qd
    runyard diff 8fk2 m3qd p0zz --section config --section packages
    """
    from runyard.cli import diff as command

    command.diff(runs=runs, section=section, as_json=as_json)


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


@app.command("export")
def export(
    run: OneRun,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Where to [ID.runyard.tar.gz].")
    ] = None,
) -> None:
    """Write a run with all that belongs to it into one file: journals, checkpoints, files, code.

    `runyard import` takes it in, on another machine, too.

    \b
    runyard export 8fk2 --out baseline.tar.gz
    """
    from runyard.cli import export as command

    command.export(run=run, out=out)


@app.command("import")
def import_(file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)]) -> None:
    """Take a run out of a file that `runyard export` wrote.

    The file is examined before anything is written; a run that is here already is left as it is. Nothing of it is
    executed, unless you retry the run.

    \b
    runyard import baseline.tar.gz
    """
    from runyard.cli import import_run as command

    command.import_(file=file)


@app.command("login")
def login(
    url: Annotated[str, typer.Argument(metavar="URL", show_default=False)],
    token: Annotated[
        bool, typer.Option("--token", help="Ask for a token (or read it from standard input), not for a password.")
    ] = False,
    ca_file: Annotated[
        Path | None, typer.Option("--ca", metavar="FILE", help="The certificate that signed the server's.")
    ] = None,
) -> None:
    """Join the team's server: asks for name and password, and keeps a token for this machine.

    From then on every command means the server, on this machine and in your account.

    \b
    runyard login https://runyard.example
    runyard login https://runyard.example --token < token.txt
    """
    from runyard.cli import login as command

    command.login(url, is_token_given=token, ca_file=ca_file)


@app.command("logout")
def logout() -> None:
    """Leave the team's server: the token is revoked and forgotten.

    \b
    runyard logout
    """
    from runyard.cli import login as command

    command.logout()


@app.command("whoami")
def whoami(as_json: Json = False) -> None:
    """Which server is meant, and for whom it takes this machine.

    \b
    runyard whoami
    """
    from runyard.cli import login as command

    command.whoami(as_json=as_json)


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits, - and _.", show_default=False)],
    framework: Annotated[Framework, typer.Option(help="What the example model uses.")] = Framework.SKLEARN,
    folder: Annotated[Path | None, typer.Option("--dir", metavar="FOLDER", help="Where to [./NAME].")] = None,
) -> None:
    """Make a project: one structure, a model that trains at once, tests that pass.

    \b
    runyard new weld-seam
    runyard new weld-seam --framework torch --dir ~/projects/weld-seam
    """
    from runyard.cli import new as command

    command.new(name=name, framework=framework, folder=folder)


@app.command("push")
def push(
    runs: Runs = None,
    where: Annotated[
        str | None, typer.Option("--where", "-w", metavar="QUERY", help="All ended runs that match.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring ended runs of this machine's home to the team's server, with journals, files, code, tags and notes.

    What is there already is left alone, so it may be done again at any time.

    \b
    runyard push 8fk2
    runyard push --where '"paper" in tags'
    """
    from runyard.cli import carrying as command

    command.push(runs=runs, where=where, as_json=as_json)


@app.command("pull")
def pull(
    runs: Annotated[list[str] | None, typer.Argument(metavar="RUN...", show_default=False)] = None,
    where: Annotated[
        str | None, typer.Option("--where", "-w", metavar="QUERY", help="All ended runs that match.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring ended runs of the team's server into this machine's home, to have them without the server.

    \b
    runyard pull 8fk2
    RUNYARD_URL=local runyard show 8fk2
    """
    from runyard.cli import carrying as command

    command.pull(runs=runs, where=where, as_json=as_json)


@app.command("sync")
def sync(
    dry: Annotated[bool, typer.Option("--dry", help="Only say what is on its way.")] = False, as_json: Json = False
) -> None:
    """Bring to the team's server what this machine executed while it was away.

    Supervisors and workers do so by themselves; this is for what they left, and to see that all has arrived.

    \b
    runyard sync
    runyard sync --dry
    """
    from runyard.cli import sync as command

    command.sync(dry=dry, as_json=as_json)


@app.command("clean")
def clean(
    rule: Annotated[CleaningRule, typer.Argument(help="checkpoints, failed or trash.", show_default=False)],
    older: Annotated[str, typer.Option(metavar="TIME", help="Only of runs that ended so long ago.")] = "30d",
    project: OfProject = None,
    all_projects: AllProjects = False,
    dry: Annotated[bool, typer.Option("--dry-run", help="Only show it.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Make room: checkpoints or failed runs of long ago go to the trash, or the trash goes for good.

    Tagged runs are kept, and the best run of every grid keeps its checkpoints.

    \b
    runyard clean checkpoints --older 30d --dry-run
    runyard clean failed --older 14d --all
    runyard clean trash
    """
    from runyard.cli import clean as command
    from runyard.client.cleaning import Rule

    command.clean(
        rule=Rule(rule.value),
        older=older,
        project=project,
        all_projects=all_projects,
        dry=dry,
        yes=yes,
        as_json=as_json,
    )


@app.command("reserve")
def reserve(
    slots: Annotated[
        list[str] | None,
        typer.Argument(metavar="SLOT...", help="GPUs by number [list what is reserved].", show_default=False),
    ] = None,
    duration: Annotated[str | None, typer.Option("--for", metavar="TIME", help="How long: 4h, 90m, 2d.")] = None,
    why: Annotated[str, typer.Option(help="The reason, shown to the others.")] = "",
    end: Annotated[bool, typer.Option("--end", help="Give them back to the queue now.")] = False,
) -> None:
    """Keep the queue off GPUs of this machine for some hours; who reserved one may train on it in a terminal.

    \b
    runyard reserve                              what is reserved
    runyard reserve 0 --for 4h --why 'a demo'
    runyard reserve 0 --end
    """
    from runyard.cli import reserve as command

    command.reserve(slots=slots or [], duration=duration, why=why, is_end=end)


@app.command("reindex")
def reindex() -> None:
    """Rebuild the database from the run folders, which are the truth. Nothing is lost by it.

    \b
    runyard reindex
    """
    from runyard.cli import reindex as command

    command.reindex()


@app.command("doctor")
def doctor(as_json: Json = False) -> None:
    """Check home, disk, database, journals, GPUs and their locks, workers and versions.

    On a machine of a team's server: whether it answers, as whom and in which version, and what is on its way there.
    Every line is ok, warn or bad, with what to do. The exit code is 1 if anything is bad.

    \b
    runyard doctor
    """
    from runyard.cli import doctor as command

    command.doctor(as_json=as_json)


@app.command("verify")
def verify(
    repair: Annotated[bool, typer.Option("--repair", help="Repair what can be; nothing is lost by it.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Without reading stored files and folding runs anew.")] = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Read every journal and every stored file of the home, and compare the index with them.

    The exit code is 1 if anything is wrong, and could not be repaired.

    \b
    runyard verify
    runyard verify --repair
    runyard verify --quick --json
    """
    from runyard.cli import verify as command

    command.verify(mend=repair, quick=quick, database=database, as_json=as_json)


@app.command("backup")
def backup(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", show_default=False)],
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Copy the home into a folder, while it is worked in; the next time only what is new.

    Runs, files, code, trash, saved views, accounts and tokens are in it. Keep it as carefully as the home.

    \b
    runyard backup /mnt/backup/runyard
    runyard --home /srv/runyard backup /mnt/backup/runyard --json
    """
    from runyard.cli import backup as command

    command.backup(folder, database=database, as_json=as_json)


@app.command("restore")
def restore_home(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", show_default=False)],
    home: Annotated[Path, typer.Option("--home", metavar="NEW", help="A folder that is new or empty.")],
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Make a home of a backup, and say what was in it.

    If it is broken off, the same command goes on with it.

    \b
    runyard restore /mnt/backup/runyard --home /srv/runyard
    """
    from runyard.cli import restore as command

    command.restore(folder, home=home, database=database, as_json=as_json)


@trash_app.callback()
def trash(context: typer.Context) -> None:
    """List, restore or empty the trash.

    \b
    runyard trash                  what is in it
    runyard trash restore 8fk2
    runyard trash empty            deletes for good and says how much was freed
    """
    if context.invoked_subcommand is None:
        list_trash()


@trash_app.command("list")
def list_trash(as_json: Json = False) -> None:
    """What is in the trash.

    \b
    runyard trash list
    """
    from runyard.cli import trash as command

    command.list_(as_json=as_json)


@trash_app.command("restore")
def restore(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", show_default=False)],
    only_checkpoints: Annotated[
        bool, typer.Option("--checkpoints", help="The checkpoints that `runyard clean` took from these runs.")
    ] = False,
) -> None:
    """Bring runs back, or the checkpoints of runs.

    \b
    runyard trash restore 8fk2
    runyard trash restore 8fk2 --checkpoints
    """
    from runyard.cli import trash as command

    command.restore(runs=runs, only_checkpoints=only_checkpoints)


@trash_app.command("empty")
def empty(yes: Yes = False) -> None:
    """Delete for good what is in the trash, and say how much room that made.

    \b
    runyard trash empty --yes
    """
    from runyard.cli import trash as command

    command.empty(yes=yes)
