"""How long does `import runyard` take, over bare Python? And all that `start_run` needs?

Run it as: python benchmarks/tracking_import.py [PROCESSES]
"""

import subprocess
import sys
from statistics import median
from time import perf_counter

GOAL_MS = 30.0

PROGRAMS = {
    "bare Python": "pass",
    "import runyard": "import runyard",
    "import runyard; runyard.start_run": "import runyard; runyard.start_run",
    "import typing, pathlib, datetime (to compare)": "import typing, pathlib, datetime",
}


def main() -> None:
    processes = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    times: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(processes):  # in turn, so that a busy moment of the machine hits all alike
        for name, program in PROGRAMS.items():
            begin = perf_counter()
            subprocess.run([sys.executable, "-c", program], check=True)
            times[name].append((perf_counter() - begin) * 1e3)
    bare = median(times["bare Python"])
    for name, samples in times.items():
        print(f"{name:45} {median(samples):6.1f} ms   over bare Python {median(samples) - bare:5.1f} ms")
    reached = median(times["import runyard"]) - bare <= GOAL_MS
    print(f"goal for `import runyard`: {GOAL_MS:g} ms over bare Python: {'reached' if reached else 'MISSED'}")


if __name__ == "__main__":
    main()
