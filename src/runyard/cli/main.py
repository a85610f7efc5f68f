"""The program `runyard`: what happens around a command, above all when it fails."""

import os
import sys
from collections.abc import Sequence
from typing import Any

import typer

from runyard import garbage
from runyard.cli import screen
from runyard.cli.app import app
from runyard.drafts import refused
from runyard.errors import RunyardError

INTERRUPTED = 130  # as shells report a process that SIGINT ended

# Click's own errors (a wrong option, a missing argument). Old and new Typer keep the class in different places.
_CommandLineError: Any = typer.BadParameter.__mro__[2]


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
        said = error.format_message().replace("Value error, ", "")  # as pydantic begins
        return failed(said + hint, error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("\n")
        return failed("interrupted", INTERRUPTED)
    except BrokenPipeError:  # `runyard runs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at exit
        return 0
    except OSError as error:  # a disk that is full, a folder that may not be read
        return failed(refused(error), 4)
    except Exception as error:
        problem = screen.database_problem(error)
        if not problem:
            raise  # a defect: its traceback says more than we could
        return failed(problem, 4)


def failed(message: str, code: int) -> int:
    """Tell the user what went wrong; return the exit code."""
    sys.stdout.flush()
    for number, line in enumerate(screen.plain_lines(message)):
        label = screen.paint("error:", "red", sys.stderr) + " " if number == 0 else ""
        sys.stderr.write(f"{label}{line}\n")
    return code


def main() -> None:
    """The entry point of the program."""
    garbage.collect_rarely()
    code = run(sys.argv[1:])
    garbage.leave_all()
    sys.exit(code)


if __name__ == "__main__":
    main()
