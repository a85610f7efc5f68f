"""`python run.py …`: the commands of a project, and nothing but their options.

What a command does is imported when it is called, so that `--help` and completion answer at once.
"""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from runyard.cli import screen
from runyard.cli.project.sweeps import extract_sweeps
from runyard.drafts import refused
from runyard.errors import RunyardError

app = typer.Typer(
    name="run.py",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # an unexpected error is a defect: its plain traceback says more
    rich_markup_mode="markdown",
    help="Train, compare and apply the models of this project. `runyard` does the rest: `runyard --help`.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
queue_app = typer.Typer(invoke_without_command=True)
config_app = typer.Typer(no_args_is_help=True, help="Look at settings: show, diff, keys.")
app.add_typer(queue_app, name="queue")
app.add_typer(config_app, name="config")

Overrides = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings: optim.lr=0.01")]
Gpus = Annotated[str | None, typer.Option(help="Only these GPUs, by number: 0,1", metavar="0,1")]
Cpu = Annotated[bool, typer.Option("--cpu", help="Use CPU slots, even if there are GPUs.")]
Json = Annotated[bool, typer.Option("--json", help="For scripts.")]


class _Here:
    """The project that run.py lies in and the sweeps of the command line; set once at the start."""

    folder = Path()
    sweeps: list[tuple[str, list[str]]] = []  # noqa: RUF012  # set by run_project, one command line a process


def run_project(folder: Path) -> int:
    """Execute the command line of a project's run.py; return the exit code."""
    _Here.folder = folder
    arguments, _Here.sweeps = extract_sweeps(sys.argv[1:])
    try:
        code = app(arguments, prog_name="run.py", standalone_mode=False)
    except RunyardError as error:
        print("\n".join(screen.plain_lines(str(error))), file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # the reader, e.g. `head`, has seen enough
        sys.stderr.close()
        return 0
    except (KeyboardInterrupt, typer.Abort):
        print(file=sys.stderr)
        return 130
    except OSError as error:  # a disk that is full, a folder that may not be written
        print(screen.plain(refused(error)), file=sys.stderr)
        return 4
    except Exception as error:
        if hasattr(error, "show") and hasattr(error, "exit_code"):  # click's own errors, whichever click Typer brings
            error.show()
            return int(error.exit_code)
        problem = screen.database_problem(error)
        if not problem:
            raise
        print(problem, file=sys.stderr)
        return 4
    return code if isinstance(code, int) else 0


@app.command()
def train(
    overrides: Overrides = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="An experiment file, or a stored config.", metavar="FILE")
    ] = None,
    grid: Annotated[bool, typer.Option("--grid", help="The grid that src/config.py declares (OVERRIDE).")] = False,
    queue: Annotated[bool, typer.Option("--queue", help="Queue the runs; `run.py work` executes them.")] = False,
    each: Annotated[bool, typer.Option("--each", help="Run several configs here, one after another.")] = False,
    dry: Annotated[bool, typer.Option("--dry", help="Show the plan and do nothing.")] = False,
    names: Annotated[bool, typer.Option("--names", help="With --dry: list every run of the plan.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Also a plan of more than 200 runs.")] = False,
    max_runs: Annotated[int | None, typer.Option("--max", help="Also a plan of more than 5,000 runs.")] = None,
    retry: Annotated[str | None, typer.Option(help="'failed': try points again that failed.", metavar="failed")] = None,
    same: Annotated[
        str, typer.Option(help="What makes two runs the same: 'code' and config, or only 'config'.")
    ] = "code",
    shuffle: Annotated[int | None, typer.Option(help="Order of the plan by chance, with this seed.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run.")] = None,
    experiment: Annotated[str | None, typer.Option(help="The question that these runs answer.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may be repeated.")] = None,
    note: Annotated[str, typer.Option(help="A note.")] = "",
    data: Annotated[Path | None, typer.Option(help="Data for run.data, instead of what the config says.")] = None,
    gpus: Gpus = None,
    cpu: Cpu = False,
    priority: Annotated[int, typer.Option(help="Higher goes first.")] = 0,
    time: Annotated[str | None, typer.Option(help="Time limit of each run: 90s, 30m, 2h.", metavar="2h")] = None,
    retries: Annotated[int | None, typer.Option(help="How often an interrupted run is resumed.")] = None,
    inline: Annotated[bool, typer.Option("--inline", help="In this process, for a debugger.")] = False,
    json: Json = False,
) -> None:
    """Train: one run here and now, or a grid through the queue.

    Examples:

        python run.py train                                        the defaults

        python run.py train optim.lr=0.01                          one setting changed

        python run.py train 'optim.lr=[0.1,0.01]' --queue          a grid, queued

        python run.py train --sweep optim.lr 0.1 0.01 --queue      the same without brackets

        python run.py train --grid --dry                           look at the grid of src/config.py

        python run.py train --config experiments/lr.yaml --queue
    """
    from runyard.cli.project import train as command

    command.train(
        command.Request(
            folder=_Here.folder,
            overrides=overrides or [],
            sweeps=_Here.sweeps,
            config=config,
            grid=grid,
            queue=queue,
            each=each,
            dry=dry,
            names=names,
            yes=yes,
            max_runs=max_runs,
            retry=retry,
            same=same,
            shuffle=shuffle,
            name=name,
            experiment=experiment,
            tags=tuple(tag or ()),
            note=note,
            data=data,
            gpus=gpus,
            cpu=cpu,
            priority=priority,
            time=time,
            retries=retries,
            inline=inline,
            json=json,
        )
    )


@app.command()
def infer(
    data: Annotated[Path, typer.Option(help="A file, or a folder of inputs.")],
    out: Annotated[Path, typer.Option(help="Where predictions go: .csv or .parquet")],
    run: Annotated[str | None, typer.Option(help="A run's id or name, 'last' or 'best'.")] = None,
    model: Annotated[Path | None, typer.Option(help="A model folder, instead of a run.")] = None,
    metric: Annotated[str | None, typer.Option(help="With --run best: the metric that decides.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1")] = "cpu",
) -> None:
    """Apply a model to data and write its predictions.

    Examples:

        python run.py infer --run best --data images/ --out predictions.csv

        python run.py infer --model delivered/model --data image.png --out predictions.parquet
    """
    from runyard.cli.project import infer as command

    command.infer(_Here.folder, run=run, model=model, metric=metric, data=data, out=out, device=device)


@app.command()
def work(
    gpus: Gpus = None,
    cpu: Cpu = False,
    slots: Annotated[int | None, typer.Option(help="How many CPU slots.")] = None,
    drain: Annotated[bool, typer.Option("--drain", help="End when the queue is empty.")] = False,
    cold: Annotated[
        bool, typer.Option("--cold", help="Import the next run's code only at its turn, which saves memory.")
    ] = False,
) -> None:
    """Work the queue, unattended: every run gets a slot of its own.

    Ctrl-C once: start nothing more and wait for what runs. Twice: ask the runs to stop, too.

    Examples:

        python run.py work

        python run.py work --gpus 0,1

        python run.py work --drain && echo done
    """
    from runyard.cli.project import work as command

    command.work(_Here.folder, gpus=gpus, cpu=cpu, slots=slots, drain=drain, cold=cold)


@queue_app.callback()
def queue(context: typer.Context, json: Json = False) -> None:
    """What waits and what runs, in the order in which it will start; pause, cancel, retry, move.

    Example: python run.py queue
    """
    if context.invoked_subcommand is None:
        from runyard.cli.project import queue as command

        command.show(_Here.folder, json=json)


Runs = Annotated[list[str], typer.Argument(help="Ids or names of runs, or the name of a grid or experiment.")]


@queue_app.command()
def pause() -> None:
    """Start nothing more of this project; what runs goes on.

    Example: python run.py queue pause
    """
    _queue().pause(_Here.folder)


@queue_app.command()
def resume() -> None:
    """Start again.

    Example: python run.py queue resume
    """
    _queue().resume(_Here.folder)


@queue_app.command()
def cancel(
    runs: Annotated[list[str] | None, typer.Argument(help="Ids or names of runs or grids.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All waiting runs of this project.")] = False,
    why: Annotated[str, typer.Option(help="The reason, kept with the run.")] = "",
) -> None:
    """Take waiting runs out of the queue, and stop running ones.

    Example: python run.py queue cancel 8fk2
    """
    _queue().cancel(_Here.folder, runs or [], everything=everything, why=why)


@queue_app.command()
def retry(
    runs: Annotated[list[str] | None, typer.Argument(help="Ids or names of runs or grids.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All runs of this project that did not complete.")] = False,
) -> None:
    """Try ended runs again: a new attempt of the same run.

    Example: python run.py queue retry --failed
    """
    _queue().retry(_Here.folder, runs or [], failed=failed)


@queue_app.command()
def hold(runs: Runs, why: Annotated[str, typer.Option(help="The reason.")] = "") -> None:
    """Keep waiting runs from starting.

    Example: python run.py queue hold 8fk2 --why 'data is not there yet'
    """
    _queue().hold(_Here.folder, runs, why=why)


@queue_app.command()
def release(runs: Runs) -> None:
    """Let held runs start.

    Example: python run.py queue release 8fk2
    """
    _queue().release(_Here.folder, runs)


@queue_app.command()
def move(
    run: Annotated[str, typer.Argument(help="Id or name of a run.")],
    top: Annotated[bool, typer.Option("--top", help="Next of its priority.")] = False,
    bottom: Annotated[bool, typer.Option("--bottom", help="Last of its priority.")] = False,
    before: Annotated[str | None, typer.Option(help="In front of this run.")] = None,
) -> None:
    """Give a waiting run another place.

    Example: python run.py queue move 8fk2 --top
    """
    _queue().move(_Here.folder, run, top=top, bottom=bottom, before=before)


@queue_app.command()
def priority(runs: Runs, to: Annotated[int, typer.Option("--to", help="Higher goes first; 0 is usual.")]) -> None:
    """Give waiting runs another priority.

    Example: python run.py queue priority 8fk2 m3qd --to 10
    """
    _queue().priority(_Here.folder, runs, to=to)


@queue_app.command()
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

    Example: python run.py queue reserve 0 --for 4h --why 'a demo'
    """
    from runyard.cli import reserve as command

    command.reserve(slots=slots or [], duration=duration, why=why, is_end=end)


@config_app.command("show")
def config_show(
    overrides: Overrides = None,
    config: Annotated[Path | None, typer.Option("--config", help="An experiment file or a stored config.")] = None,
    json: Json = False,
) -> None:
    """The final values, and where each comes from.

    Example: python run.py config show optim.lr=0.1
    """
    from runyard.cli.project import config as command

    command.show(_Here.folder, overrides or [], config=config, json=json)


@config_app.command("diff")
def config_diff(
    runs: Annotated[list[str], typer.Argument(help="Runs or config files, two or more.")], json: Json = False
) -> None:
    """Only what differs.

    Example: python run.py config diff 9e12 e1e0
    """
    from runyard.cli.project import config as command

    command.diff(_Here.folder, runs, json=json)


@config_app.command("keys")
def config_keys(
    pattern: Annotated[str, typer.Argument(help="Only keys that match, e.g. 'optim.*'")] = "*",
    json: Json = False,
) -> None:
    """Every key with its type, default and help.

    Example: python run.py config keys 'optim.*'
    """
    from runyard.cli.project import config as command

    command.keys(_Here.folder, pattern, json=json)


@app.command("test")
def run_tests(
    which: Annotated[str, typer.Argument(help="unit, integration or all")] = "all",
) -> None:
    """Run the project's tests.

    Example: python run.py test unit
    """
    from runyard.cli.project import test as command

    raise typer.Exit(command.run_tests(_Here.folder, which))


@app.command()
def ui(
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="This port [the first free from 8765].")] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
) -> None:
    """The dashboard, in a browser on this machine.

    Example: python run.py ui
    """
    from runyard.cli import ui as command

    command.ui(port=port, is_browser_wanted=not no_browser)


@app.command()
def explore(
    run: Annotated[str | None, typer.Option(help="A run's id or name, 'last' or 'best' [what the page says].")] = None,
    compare: Annotated[str | None, typer.Option(help="A second run to compare it with.")] = None,
    lang: Annotated[str | None, typer.Option(help="de or en [what the page says].", metavar="de|en")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="This port [the first free from 8501].")] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
) -> None:
    """The customer's page (src/visualization/explore.py), in a browser on this machine; it needs no network.

    Examples:

        python run.py explore

        python run.py explore --run best --compare 8fk2 --lang de
    """
    from runyard.cli.project import explore as command

    command.explore(_Here.folder, run=run, compare=compare, lang=lang, port=port, is_browser_wanted=not no_browser)


@app.command(
    "report",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
)
def report(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]... [OPTIONS]", help="Those of `runyard report`.")
    ] = None,
) -> None:
    """Write runs, named first, into one HTML file, as `runyard report` does; without a run the project's best one.

    Example: python run.py report --lang de --out report.html
    """
    from runyard.cli.project import report as command

    raise typer.Exit(command.report(_Here.folder, arguments or []))


def _queue() -> Any:  # the module, imported when it is needed
    from runyard.cli.project import queue as command

    return command
