"""`make demo`: from an empty folder to a leaderboard, on real data, with nothing but the commands a person types.

Makes a project in ./demo, queues the grid that its src/config.py declares (12 settings, 3 seeds each, on the 1,797
handwritten digits that scikit-learn ships), works the queue on the slots of this machine, and compares.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent / "demo"
PROJECT = HERE / "digits"
METRIC = "val/accuracy"


def main() -> int:
    """Run the demo; the exit code of the first command that fails, else 0."""
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    os.environ["RUNYARD_HOME"] = str(HERE / "home")
    began = time.monotonic()

    say("A project: one command, one structure.")
    call("runyard new digits", at=HERE)

    say("The grid in src/config.py: 12 settings, 3 seeds each. First a look, then the queue.")
    call("python run.py train --grid --dry")
    call("python run.py train --grid --queue --yes")

    say("Work the queue: every run gets a slot of its own and the code of the moment it was queued.")
    call("python run.py work --drain")

    say("Which setting is best? Mean ± std over the seeds.")
    call(f"runyard best --metric {METRIC} --goal max")

    ranked = best_to_worst()
    best, worst = ranked[0], ranked[-1]
    say("What is different between the best run and the worst?")
    call(f"runyard diff {best} {worst} --section config")
    call(f"runyard chart {best} {worst} {METRIC}")

    say(f"Done in {time.monotonic() - began:.0f} s. Everything is in {HERE}. What to type next:")
    print(f"  cd {PROJECT} && export RUNYARD_HOME={os.environ['RUNYARD_HOME']}")
    for command, meaning in {
        f"runyard show {best}": "everything about the best run",
        "runyard runs --group all-but-seed": "all settings, seeds folded",
        f"runyard logs {best}": "what it printed",
        "python run.py infer --run best --data tests/data --out preds.csv": "predictions of the best model",
        "python run.py train --grid --queue": "the same grid again: nothing to do, all is known",
    }.items():
        print(f"  {command:<66} # {meaning}")
    return 0


def say(text: str) -> None:
    """A line of explanation above a command."""
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def call(command: str, *, at: Path = PROJECT) -> None:
    """Show a command and run it, as a person would see it."""
    print(f"$ {command}", flush=True)
    status = subprocess.run(shlex.split(command), cwd=at, check=False).returncode
    if status:
        raise SystemExit(status)


def best_to_worst() -> list[str]:
    """Ids of the completed runs, best first."""
    command = ["runyard", "runs", "--json", "--where", 'state == "COMPLETED"', "--sort", f"-metric:{METRIC}.max"]
    answer = json.loads(subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True).stdout)
    return [run["id"] for run in answer["runs"]]


if __name__ == "__main__":
    raise SystemExit(main())
