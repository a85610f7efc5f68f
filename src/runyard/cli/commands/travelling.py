"""Runs as files, and from and to other trackers."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from runyard.cli.options import AllProjects, Json, OfProject, OneRun, Runs

app = typer.Typer(rich_markup_mode=None)


class WithDefault(TyperGroup):
    """A group whose commands have names, and that takes anything else for the argument of one command: `this`."""

    default = "this"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # Click's types, which Typer does not export
        own = {"--help", *self.commands}
        if args and args[0] not in own:
            args = [self.default, *args]
        return list(super().parse_args(ctx, args))


def described(command: Callable[..., None], text: str) -> Callable[..., None]:
    """A command with its help."""
    command.__doc__ = inspect.cleandoc(text)
    return command


exporting = typer.Typer(rich_markup_mode=None, cls=WithDefault, no_args_is_help=True)
importing = typer.Typer(rich_markup_mode=None, cls=WithDefault, no_args_is_help=True)
app.add_typer(exporting, name="export")
app.add_typer(importing, name="import")


@exporting.callback()
def export() -> None:
    """Write a run into a file, runs into a table, or bring runs to another tracker.

    \b
    runyard export 8fk2 --out baseline.tar.gz
    runyard export csv --where 'state == "COMPLETED"' --out runs.csv
    runyard export mlflow http://tracking:5000 8fk2
    """


@exporting.command("this", hidden=True)
def export_run(
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


def _to_table(kind: str) -> Callable[..., None]:
    """The command that exports into one format: the three differ in nothing but its name."""

    def to_table(
        runs: Runs = None,
        where: Annotated[str | None, typer.Option("--where", "-w", metavar="QUERY", help="All that match.")] = None,
        out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FILE", help="A row for each run.")] = None,
        series: Annotated[Path | None, typer.Option("--series", metavar="FILE", help="A row for each point.")] = None,
        project: OfProject = None,
        all_projects: AllProjects = False,
        force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
        as_json: Json = False,
    ) -> None:
        from runyard.cli import export_table as command

        command.export_table(
            kind,
            runs=runs or [],
            where=where,
            out=out,
            series=series,
            project=project,
            all_projects=all_projects,
            force=force,
            as_json=as_json,
        )

    return to_table


exporting.command("csv")(
    described(
        _to_table("csv"),
        """Write runs, and all their points, into CSV files; without runs or a query, all of the project.

        Columns are the fields of a run, config.…, metric.….last (min, max, …) and label.…. A text that a spreadsheet
        would execute as a formula has an apostrophe in front. `runyard import csv` reads both files back without loss.

        \b
        runyard export csv --where 'state == "COMPLETED"' --out runs.csv
        runyard export csv 8fk2 9ab1 --out runs.csv --series points.csv
        """,
    )
)
exporting.command("json")(
    described(
        _to_table("json"),
        """Write runs, and all their points, into JSON Lines: a line for each run, and for some thousands of points.

        A run is what `runyard runs --json` prints, with its labels. `runyard import json` reads both files back.

        \b
        runyard export json --all --out runs.jsonl --series points.jsonl
        """,
    )
)
exporting.command("parquet")(
    described(
        _to_table("parquet"),
        """Write runs, and all their points, into Parquet files, for pandas, Polars, DuckDB; needs 'runyard[parquet]'.

        Columns as in CSV, each of one type; settings of mixed types are JSON.

        \b
        runyard export parquet --where '"paper" in tags' --out runs.parquet --series points.parquet
        """,
    )
)


@exporting.command("mlflow")
def export_mlflow(
    uri: Annotated[str, typer.Argument(metavar="URI", show_default=False)],
    runs: Runs = None,
    where: Annotated[str | None, typer.Option("--where", "-w", metavar="QUERY", help="All runs that match.")] = None,
    experiment: Annotated[
        str | None, typer.Option("--experiment", metavar="NAME", help="The experiment there [that of each run].")
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring runs to an MLflow server, or to GitLab's experiments; those that are there already are left alone.

    The token comes from MLFLOW_TRACKING_TOKEN. What the server does not take is listed at the end, and the exit code is
    1.

    \b
    runyard export mlflow http://tracking:5000 8fk2
    runyard export mlflow https://gitlab.example/api/v4/projects/7/ml/mlflow --where '"paper" in tags'
    """
    from runyard.cli import export_mlflow as command

    command.export_mlflow(uri, runs=runs or [], where=where, experiment=experiment, as_json=as_json)


@importing.callback()
def import_() -> None:
    """Take in a run out of a file that `runyard export` wrote, tables, or the runs of another tracker.

    \b
    runyard import baseline.tar.gz
    runyard import mlflow http://tracking:5000 --project weld-seam
    runyard import sacred mongodb://lab-db/sacred --project weld-seam
    runyard import wandb ./wandb
    runyard import csv results.csv --dry-run
    """


@importing.command("this", hidden=True)
def import_run(file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)]) -> None:
    """Take a run out of a file that `runyard export` wrote.

    The file is examined before anything is written; a run that is here already is left as it is. Nothing of it is
    executed, unless you retry the run.

    \b
    runyard import baseline.tar.gz
    """
    from runyard.cli import import_run as command

    command.import_(file=file)


@importing.command("mlflow")
def import_mlflow(
    source: Annotated[str, typer.Argument(metavar="URI|FOLDER|sqlite:///FILE", show_default=False)],
    project: Annotated[
        str | None,
        typer.Option("--project", "-p", metavar="NAME", help="Into this project [of this folder, or mlflow]."),
    ] = None,
    experiments: Annotated[
        list[str] | None, typer.Option("--experiment", metavar="NAME", help="Only this experiment; may be repeated.")
    ] = None,
    artifacts: Annotated[
        Path | None, typer.Option("--artifacts", metavar="FOLDER", help="Where the files of an SQLite store lie.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Take in the runs of an MLflow server, of a folder `mlruns` or of an SQLite file, with their artifacts.

    Importing again brings what is new and nothing twice. What cannot be read is listed at the end with its place, and
    the exit code is 1. MLflow itself is not needed; a token comes from MLFLOW_TRACKING_TOKEN.

    \b
    runyard import mlflow http://tracking:5000 --project weld-seam
    runyard import mlflow ./mlruns
    runyard import mlflow sqlite:///mlflow.db --experiment depth
    """
    from runyard.cli import import_mlflow as command

    command.import_mlflow(source, project=project, experiments=experiments or [], artifacts=artifacts, as_json=as_json)


@importing.command("tensorboard")
def import_tensorboard(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", show_default=False)],
    project: Annotated[
        str | None, typer.Option("--project", "-p", metavar="NAME", help="Into it [of this folder, or FOLDER's name].")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as long as runs are written.")] = False,
    as_json: Json = False,
) -> None:
    """Take in what TensorBoard shows of a folder: numbers, images, sounds, histograms, texts and hyperparameters.

    Importing again brings what is new, and nothing twice. What cannot be read is listed at the end with its place, and
    the exit code is 1.

    \b
    runyard import tensorboard logs/
    runyard import tensorboard logs/ --follow
    runyard import tensorboard logs/ --project weld-seam --json
    """
    from runyard.cli import import_tensorboard as command

    command.import_tensorboard(folder, project=project, follow=follow, as_json=as_json)


@importing.command("sacred")
def import_sacred(
    source: Annotated[str, typer.Argument(metavar="mongodb://…|FOLDER|sqlite:///FILE", show_default=False)],
    project: Annotated[
        str | None,
        typer.Option("--project", "-p", metavar="NAME", help="Into this project [of this folder, or sacred]."),
    ] = None,
    prefix: Annotated[
        str | None,
        typer.Option("--prefix", metavar="NAME", help="Only collections of this prefix [all that hold runs]."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Take in the runs of Sacred: of its MongoDB, of the folder of a FileStorageObserver or TinyDbObserver, or of the
    database of an SqlObserver (sqlite:///FILE, postgresql://…).

    Config, metrics, output, sources, artifacts, and the tags and notes of Omniboard. Importing again brings what is new
    and nothing twice. What cannot be read is listed at the end with its place, and the exit code is 1. Nothing is
    written there, and nothing that was pickled is executed.

    \b
    runyard import sacred mongodb://lab-db:27017/sacred --project weld-seam
    runyard import sacred ./my_runs
    runyard import sacred sqlite:///runs.db
    runyard import sacred mongodb://lab-db/sacred --prefix anna --json
    """
    from runyard.cli import import_sacred as command

    command.import_sacred(source, project=project, prefix=prefix, as_json=as_json)


_Columns = Annotated[list[str] | None, typer.Option(metavar="COLUMN", help="These become it; val_* means several.")]


@importing.command("csv")
def import_csv(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", show_default=False)],
    project: Annotated[
        str | None,
        typer.Option("--project", "-p", metavar="NAME", help="Into it [where the file says, of this folder, or csv]."),
    ] = None,
    config: _Columns = None,
    metric: _Columns = None,
    tag: _Columns = None,
    ignore: _Columns = None,
    id_: Annotated[str | None, typer.Option("--id", metavar="COLUMN", help="What names a run for good.")] = None,
    step: Annotated[str | None, typer.Option(metavar="COLUMN", help="Each file is one run; this is its step.")] = None,
    time: Annotated[str | None, typer.Option(metavar="COLUMN", help="When a step was logged.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what each column would become.")] = False,
    as_json: Json = False,
) -> None:
    """Take in tables: a run a row, a file a run with its steps, or what `runyard export csv` wrote.

    What a column becomes is told by the options, by a prefix (config. params. metric. metrics. label.), by a name that
    is known (name, tags, seed, state …), or guessed: numbers called like loss or accuracy, or train_…, val_…, test_…,
    are metrics, all else is config. --dry-run shows it. Importing again brings what is new and nothing twice. What
    cannot be read is listed at the end with file and line, and the exit code is 1.

    \b
    runyard import csv results.csv --dry-run
    runyard import csv results.csv --metric 'top*' --ignore comment --project weld-seam
    runyard import csv logs/lr0.1.csv logs/lr0.01.csv --step iteration
    runyard import csv runs.csv points.csv
    """
    from runyard.cli import import_table as command

    command.import_csv(
        files,
        project=project,
        columns={"config": config, "metric": metric, "tag": tag, "ignore": ignore},
        named={"id": id_, "step": step, "time": time},
        dry_run=dry_run,
        as_json=as_json,
    )


@importing.command("json")
def import_json(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", show_default=False)],
    project: Annotated[
        str | None, typer.Option("--project", "-p", metavar="NAME", help="Into it [where the file says].")
    ] = None,
    as_json: Json = False,
) -> None:
    """Take in what `runyard export json` wrote: runs and, if given too, their points.

    Importing again brings nothing twice. What cannot be read is listed at the end with file and line, and the exit code
    is 1.

    \b
    runyard import json runs.jsonl points.jsonl
    """
    from runyard.cli import import_table as command

    command.import_json(files, project=project, as_json=as_json)


@importing.command("wandb")
def import_wandb(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", show_default=False)],
    project: Annotated[
        str | None,
        typer.Option("--project", "-p", metavar="NAME", help="Into it [of this folder, or that of each run]."),
    ] = None,
    outside: Annotated[
        bool, typer.Option("--outside", help="Also files that lie elsewhere on this machine: saved by link, artifacts.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Take in the run files that W&B left in a folder `wandb`, of offline runs and of synced ones.

    Config, metrics, images, histograms, tables, texts, summary, tags, notes, group, output, what was measured of the
    machine, and files. Importing again brings what is new and nothing twice. What cannot be read is listed at the end
    with its place, and the exit code is 1. W&B itself is not needed, and nothing is asked of its servers.

    \b
    runyard import wandb ./wandb
    runyard import wandb ./wandb --project weld-seam --outside
    """
    from runyard.cli import import_wandb as command

    command.import_wandb(folder, project=project, outside=outside, as_json=as_json)


@app.command("tensorboard")
def tensorboard(
    runs: Runs = None,
    where: Annotated[
        str | None, typer.Option("--where", "-w", metavar="QUERY", help="All that match, of the current project.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="Only write event files, and keep them.")
    ] = None,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Where TensorBoard listens.")] = 6006,
    system: Annotated[bool, typer.Option("--system", help="With CPU, memory and GPU.")] = False,
) -> None:
    """Look at runs with TensorBoard: numbers, images, histograms, texts and hyperparameters.

    \b
    runyard tensorboard 8fk2 9ab1
    runyard tensorboard --where 'config.optim.lr < 0.01'
    runyard tensorboard --where 'state == "COMPLETED"' --out logs/
    """
    from runyard.cli import tensorboard as command

    raise typer.Exit(command.tensorboard(runs=runs, where=where, out=out, port=port, system=system))


@app.command("mirror")
def mirror(
    uri: Annotated[str, typer.Argument(metavar="mongodb://…", show_default=False)],
    project: Annotated[
        str | None, typer.Option("--project", "-p", metavar="NAME", help="Only its runs [of this folder, or all].")
    ] = None,
    where: Annotated[str | None, typer.Option("--where", "-w", metavar="QUERY", help="Only runs that match.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Bring what is new, and end.")] = False,
    every: Annotated[float, typer.Option("--every", min=0.1, max=60, metavar="SECONDS", help="How often to look.")] = 5,
) -> None:
    """Show runs in Omniboard: keep a MongoDB up to date in Sacred's schema, until Ctrl-C.

    Tags and notes that are edited in Omniboard come back; a run that is deleted there stays deleted there, and is kept
    here. A database that is away is waited for. The metrics of machines are left out, and files of more than 64 MiB.

    \b
    runyard mirror mongodb://lab-db:27017/sacred
    runyard mirror mongodb://lab-db/sacred --project weld-seam --where '"paper" in tags'
    runyard mirror mongodb://lab-db/sacred --once
    """
    from runyard.cli import mirror as command

    command.mirror(uri, project=project, where=where, once=once, every_s=every)
