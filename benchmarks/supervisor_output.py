"""What does it cost a training to print 100 MB under a supervisor?

Beside the limit, the same lines read by `cat` from the same kind of pipe.

    python benchmarks/supervisor_output.py [rounds]
"""

import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from runyard.journal import HOST, Home
from runyard.records import RunSpec, encode_spec, new_run_id
from runyard.supervisor import LaunchOrder, supervise

BODY = """
    import sys, time
    line = "x" * 99 + "\\n"
    began = time.monotonic()
    for _ in range(1_000_000):
        sys.stdout.write(line)
    open({note!r}, "w").write(str(time.monotonic() - began))
"""
CONFIG = "from runyard import Config\n\nclass TrainConfig(Config):\n    lr: float = 0.1\n\nDEFAULT = TrainConfig()\n"


def piped(folder: Path) -> float:
    """Seconds that the printing takes into `cat`."""
    note = folder / "piped"
    head = "import sys\nsys.stdout.reconfigure(line_buffering=True)\ndef train():"
    source = head + BODY.format(note=str(note)) + "\ntrain()"
    command = f"{sys.executable} - | cat > /dev/null"
    subprocess.run(command, shell=True, input=source.encode(), check=True)
    return float(note.read_text())


def supervised(folder: Path) -> tuple[float, int]:
    """Seconds that the printing takes under a supervisor, and the bytes it left on disk."""
    note = folder / "supervised"
    home = Home.open(folder / "home")
    source = folder / "project" / "src"
    source.mkdir(parents=True, exist_ok=True)
    texts = {"__init__": "", "config": CONFIG, "train": "def train(config, run):" + BODY.format(note=str(note))}
    for name, text in texts.items():
        (source / f"{name}.py").write_text(text)
    spec = RunSpec(
        id=new_run_id(), project="p", name="n", created_at=datetime.now(UTC), project_dir=str(folder / "project")
    )
    run = home.run(spec.id)
    run.path.mkdir()
    run.spec.write_bytes(encode_spec(spec))
    supervise(LaunchOrder(run_id=spec.id, home=str(home.path), attempt=1))
    return float(note.read_text()), run.attempt(1).journal(HOST).stat().st_size


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        limit = [piped(Path(folder)) for _ in range(rounds)]
        results = [supervised(Path(folder)) for _ in range(rounds)]
        took = time.monotonic() - began
    seconds = [result[0] for result in results]
    _show("100 MB in a million lines into cat (the limit)", limit)
    _show("… under a supervisor", seconds)
    print(f"left on disk {results[0][1] / 1e6:.1f} MB; all took {took:.0f} s")


def _show(what: str, seconds: list[float]) -> None:
    print(f"{what:<48} {statistics.median(seconds):6.2f} s   ({min(seconds):.2f} … {max(seconds):.2f})")


if __name__ == "__main__":
    main()
