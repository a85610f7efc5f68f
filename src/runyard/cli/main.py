"""The program `runyard`: which commands there are, and what happens when one fails.

The table below is all that help and completion load; the module of a command, and with it the database
and NumPy, is imported when that command is called.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from runyard import __version__
from runyard.cli import screen
from runyard.errors import RunyardError

COMMANDS: dict[str, dict[str, str]] = {  # heading -> command -> one line of help
    "Runs": {
        "runs": "List runs: filter, sort, fold seeds to mean ± std.",
        "best": "The leaderboard: the best settings by a metric, over all seeds.",
        "show": "Everything about one run.",
        "diff": "What differs between runs: config, code, packages, output.",
        "chart": "Draw a metric of one or more runs in the terminal.",
        "logs": "What a run printed; -f follows it.",
    },
    "Changing runs": {
        "stop": "Stop running runs, or take waiting ones out of the queue.",
        "retry": "Put ended runs back into the queue, as a new attempt.",
        "tag": "Add and remove tags.",
        "note": "Write a note on a run.",
        "rename": "Give a run another name.",
        "rm": "Move runs to the trash.",
        "trash": "List, restore or empty the trash.",
    },
    "Travelling": {
        "export": "Write a run with all that belongs to it into one file.",
        "import": "Take a run out of a file that `export` wrote.",
    },
    "Projects and the home": {
        "new": "Make a project.",
        "reindex": "Rebuild the database from the run folders.",
        "doctor": "Check home, disk, database, GPUs and versions.",
    },
}

_MODULES = {"import": "import_run", "new": "new"}  # where the file is not named like the command

INTERRUPTED = 130  # as shells report a process that SIGINT ended

# Click's own errors (a wrong option, a missing argument). Old and new Typer keep the class in different places.
_CommandLineError: Any = typer.BadParameter.__mro__[2]


class LazyGroup(TyperGroup):
    """Knows the commands by name; imports the one that is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # Click's types, which Typer does not export
        name, command, rest = super().resolve_command(ctx, args)
        return name, load_command(name) if name else command, rest

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for heading, commands in COMMANDS.items():
            with formatter.section(heading):
                formatter.write_dl(list(commands.items()))


def load_command(name: str) -> Any:  # a Click command
    """The command as its own module defines it."""
    module = import_module(f"runyard.cli.{_MODULES.get(name, name)}")
    command = typer.main.get_command(module.app)
    command.name = name
    return command


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        screen.say(f"runyard {__version__}")
        raise typer.Exit


def _options(
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


def _placeholder() -> None:
    raise AssertionError("LazyGroup.resolve_command puts the real command in its place")


def _new_app() -> typer.Typer:
    app = typer.Typer(cls=LazyGroup, rich_markup_mode=None, callback=_options)
    for commands in COMMANDS.values():
        for name, text in commands.items():
            app.command(name, help=text)(_placeholder)
    return app


app = _new_app()


def run(args: Sequence[str]) -> int:
    """Execute a command line; return the exit code."""
    try:
        code = typer.main.get_command(app).main(
            args=list(args) or ["--help"], prog_name="runyard", standalone_mode=False
        )
        sys.stdout.flush()
        if code == INTERRUPTED:  # newer Typer turns KeyboardInterrupt into an exit code
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except RunyardError as error:
        return failed(str(error), error.exit_code)
    except _CommandLineError as error:
        usage = getattr(error, "ctx", None)
        hint = f"\n{usage.get_usage()}\nTry: {usage.command_path} --help" if usage else ""
        return failed(error.format_message() + hint, error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("\n")
        return failed("interrupted", INTERRUPTED)
    except BrokenPipeError:  # `runyard runs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at exit
        return 0
    except OSError as error:  # a disk that is full, a folder that may not be read
        place = f": {error.filename}" if error.filename else ""
        return failed(f"{error.strerror or error}{place}", 4)


def failed(message: str, code: int) -> int:
    """Tell the user what went wrong; return the exit code."""
    sys.stdout.flush()
    for number, line in enumerate(screen.plain_lines(message)):
        label = screen.paint("error:", "red", sys.stderr) + " " if number == 0 else ""
        sys.stderr.write(f"{label}{line}\n")
    return code


def main() -> None:
    """The entry point of the program."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
