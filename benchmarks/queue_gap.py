"""How long does a slot stand idle between two queued runs, beyond what the next child needs to start by itself?

Works a queue of short runs on one CPU slot and reads the journals. The gap is from the last record of one training
process to the first of the next; the limit is the same child started by hand, from exec to its first record.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from runyard.client import open_client
from runyard.journal import MAIN
from runyard.journal.events import Finished, Opened
from runyard.journal.reader import EventAt, read_journal

RUNS = 12
FILES = {
    "run.py": "from runyard.runner import main\n\nraise SystemExit(main(__file__))\n",
    "runyard.toml": 'name = "gap"\n',
    "src/config.py": "from runyard import Config\n\nclass C(Config):\n    seed: int = 0\n\nDEFAULT = C()\n",
    "src/train.py": "def train(config, run):\n    run.log(loss=1.0)\n",
}


def main() -> None:
    """Print the medians, in milliseconds."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "gap"
        for name, text in FILES.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        os.environ |= {
            "RUNYARD_HOME": f"{scratch}/home",
            "RUNYARD_LOCK_DIR": f"{scratch}/locks",
            "RUNYARD_CPU_SLOTS": "1",
        }
        call(folder, "train", f"seed={list(range(RUNS))}", "--queue")
        call(folder, "work", "--drain")
        gaps = gaps_ms()
        own = [own_start_ms(folder) for _ in range(RUNS)]
    print(f"gap between two runs      {spread(gaps)}")
    print(f"the child's own start     {spread(own)}   (limit: exec to first record)")
    print(f"gap beyond the own start  {statistics.median(gaps) - statistics.median(own):8.1f} ms   (goal: 50 ms)")


def call(folder: Path, *arguments: str) -> None:
    """`python run.py …`"""
    subprocess.run([sys.executable, "run.py", *arguments], cwd=folder, check=True, capture_output=True)


def gaps_ms() -> list[float]:
    """From the end of each training to the beginning of the next."""
    client = open_client()
    client.refresh()
    times = sorted(
        opened_and_finished(client.folder(row.id).attempt(1).journal(MAIN))
        for row in client.index.find(None, limit=None)
    )
    client.close()
    return [(after[0] - before[1]) / 1e6 for before, after in pairwise(times)]


def opened_and_finished(journal: Path) -> tuple[int, int]:
    """Times of the first and the last word of a training process, in nanoseconds."""
    events = [item.event for item in read_journal(journal)[0] if isinstance(item, EventAt)]
    opened = next(event for event in events if isinstance(event, Opened))
    finished = next(event for event in events if isinstance(event, Finished))
    return opened.time_ns, finished.time_ns


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
        began = time.time_ns()
        subprocess.run(
            [sys.executable, "-P", "-X", "faulthandler", "-m", "runyard.project.child"],
            env=environment,
            cwd=folder,
            check=True,
            capture_output=True,
        )
        return (opened_and_finished(run_dir / "attempts" / "1" / f"{MAIN}.journal")[0] - began) / 1e6


def spread(values: list[float]) -> str:
    """Median, least and most."""
    return f"{statistics.median(values):8.1f} ms   (min {min(values):.1f}, max {max(values):.1f}, n {len(values)})"


if __name__ == "__main__":
    main()
