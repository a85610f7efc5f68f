"""How long does a slot stand idle between two queued runs?

Works a queue on one CPU slot and reads the journals: warm, with runs of some seconds, so that the next training
process waits with its imports done; cold, where only its supervisor does; and with runs that end before anything is
ready. The gap is from the last record of one training process to the first of the next. What a cold start cannot do
without is the same child started by hand, from exec to its first record.
"""

import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import NamedTuple

from runyard.client import open_client
from runyard.journal import HOST, MAIN
from runyard.journal.events import Ended, Event, Finished, Opened, Started
from runyard.journal.reader import EventAt, read_journal

RUNS = 9
STEADY_S = 2.5
GOAL_MS = 50.0
CONFIG = """
from runyard import Config

class C(Config):
    seed: int = 0
    length_s: float = 0.0

DEFAULT = C()
"""
TRAIN = """
import time

def train(config, run):
    time.sleep(config.length_s)
    run.log(loss=1.0)
"""
FILES = {
    "run.py": "from runyard.runner import main\n\nraise SystemExit(main(__file__))\n",
    "runyard.toml": 'name = "gap"\n',
    "src/config.py": CONFIG,
    "src/train.py": TRAIN,
}


def main() -> None:
    """Print the medians, in milliseconds."""
    for length_s, options in ((STEADY_S, ()), (STEADY_S, ("--cold",)), (0.0, ())):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
            report(Path(scratch), length_s, options)


def report(scratch: Path, length_s: float, options: tuple[str, ...]) -> None:
    """Work a queue of runs of that length, with these options of `run.py work`."""
    folder = scratch / "gap"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    os.environ |= {
        "RUNYARD_HOME": f"{scratch}/home",
        "RUNYARD_LOCK_DIR": f"{scratch}/locks",
        "RUNYARD_CPU_SLOTS": "1",
    }
    call(folder, "train", f"seed={list(range(RUNS))}", f"length_s={length_s}", "--queue")
    call(folder, "work", "--drain", *options)
    attempts = all_moments()
    own_ms = median([own_start_ms(folder) for _ in range(RUNS)])
    gaps = [after.opened - before.finished for before, after in pairwise(attempts)]
    idle_ms = median(gaps)
    beyond_ms = idle_ms - own_ms
    judged_ms = beyond_ms if options else idle_ms
    goal = f"goal {GOAL_MS:g} ms: {'reached' if judged_ms <= GOAL_MS else 'MISSED'}" if length_s else "no goal"
    way = "cold" if options else "warm"
    print(f"{way}, runs of {length_s:g} s: idle for {idle_ms:.1f} ms, {beyond_ms:+.1f} beside an own start; {goal}")
    print(f"    gap between two runs          {spread(gaps)}")
    print(f"    the child's own start         {own_ms:8.1f} ms   (limit: exec to first record)")
    print(f"    of the gap: last record to exit   {spread([each.ended - each.finished for each in attempts])}")
    print(f"                exit to next order    {spread([b.started - a.ended for a, b in pairwise(attempts)])}")
    print(f"                order to first record {spread([each.opened - each.started for each in attempts])}")


class Moments(NamedTuple):
    """Of one attempt, in milliseconds: as its supervisor says (started, ended) and its training (opened, finished)."""

    started: float
    opened: float
    finished: float
    ended: float


def call(folder: Path, *arguments: str) -> None:
    """`python run.py …`"""
    subprocess.run([sys.executable, "run.py", *arguments], cwd=folder, check=True, capture_output=True)


def all_moments() -> list[Moments]:
    """Those of all runs, in the order in which they ran."""
    client = open_client()
    client.refresh()
    attempts = [client.folder(row.id).attempt(1) for row in client.index.find(None, limit=None)]
    client.close()
    return sorted(
        Moments(
            time_ms(attempt.journal(HOST), Started),
            time_ms(attempt.journal(MAIN), Opened),
            time_ms(attempt.journal(MAIN), Finished),
            time_ms(attempt.journal(HOST), Ended),
        )
        for attempt in attempts
    )


def time_ms(journal: Path, kind: type[Event]) -> float:
    """When the first event of a kind was written."""
    events = [item.event for item in read_journal(journal)[0] if isinstance(item, EventAt)]
    return next(event for event in events if isinstance(event, kind)).time_ns / 1e6


def own_start_ms(folder: Path) -> float:
    """One run's child, started by hand in a copy of its run folder."""
    client = open_client()
    row = client.index.find(None, limit=1)[0]
    spec = client.folder(row.id).spec.read_bytes()
    client.close()
    with tempfile.TemporaryDirectory() as scratch:
        run_dir = Path(scratch) / row.id
        (run_dir / "attempts" / "1").mkdir(parents=True)
        (run_dir / "run.json").write_bytes(spec)
        environment = {
            **os.environ,
            "RUNYARD_RUN_DIR": str(run_dir),
            "RUNYARD_ATTEMPT": "1",
            "RUNYARD_CODE": str(folder),
        }
        began_ms = time.time_ns() / 1e6
        subprocess.run(
            [sys.executable, "-P", "-X", "faulthandler", "-m", "runyard.project.child"],
            env=environment,
            cwd=folder,
            check=True,
            capture_output=True,
        )
        return time_ms(run_dir / "attempts" / "1" / f"{MAIN}.journal", Opened) - began_ms


def spread(values: list[float]) -> str:
    """Median, least and most."""
    return f"{median(values):8.1f} ms   (min {min(values):.1f}, max {max(values):.1f}, n {len(values)})"


if __name__ == "__main__":
    main()
