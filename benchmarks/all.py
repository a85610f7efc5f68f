"""All benchmarks, one after the other; what they print belongs into RECORDS.md.

make bench
python benchmarks/all.py tracking       only those whose name begins so
"""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Run them; the number of those that failed."""
    wanted = tuple(sys.argv[1:]) or ("",)
    questions = [file for file in sorted(HERE.glob("*.py")) if not file.name.startswith(("all.", "_"))]
    scripts = [file for file in questions if file.name.startswith(wanted)]
    print(f"{datetime.now(UTC):%Y-%m-%d}  commit {commit()}  {machine()}", flush=True)
    failed = 0
    for number, script in enumerate(scripts, start=1):
        question = (script.read_text().split('"""')[1].strip().splitlines() or [""])[0]
        print(f"\n[{number}/{len(scripts)}] {script.name}: {question}", flush=True)
        failed += (
            subprocess.run([sys.executable, "-m", f"benchmarks.{script.stem}"], cwd=HERE.parent, check=False).returncode
            != 0
        )
    return failed


def commit() -> str:
    """The commit that is measured."""
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def machine() -> str:
    """Cores, processor and Python."""
    return f"{os.cpu_count()} cores  {platform.machine()}  {platform.system()}  Python {platform.python_version()}"


if __name__ == "__main__":
    raise SystemExit(main())
