"""What does the caller of `start_run` and `finish` feel, supervisor included? And how long is the exit after that?

Run it as: python benchmarks/tracking_start.py [RUNS]
"""

import os
import subprocess
import sys
import tempfile
import time
from statistics import median
from time import perf_counter

GOAL_MS = 5.0
EXIT_GOAL_MS = 100.0

EXITING = """
import sys, time, runyard
run = runyard.start_run("benchmark")
for step in range(10_000):
    run.log(loss=0.5, step=step)
sys.stdout.write(repr(time.time()))
"""


def main() -> None:
    import runyard

    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        os.environ["RUNYARD_HOME"] = home
        felt, exits, bare = [], [], []
        for number in range(runs + 1):
            begin = perf_counter()
            run = runyard.start_run("benchmark", config={"lr": 0.1, "layers": [1, 2, 3]})
            started = perf_counter()
            run.log(loss=0.5)
            logged = perf_counter()
            run.finish()
            if number:  # the first makes the home and imports what is late
                felt.append((started - begin + perf_counter() - logged) * 1e3)
            os.wait()  # its supervisor, so that it does not disturb the next
        for _ in range(runs):
            exits.append(exit_ms(EXITING))
            bare.append(exit_ms("import sys, time; sys.stdout.write(repr(time.time()))"))
    report("start + finish, felt by the caller", median(felt), GOAL_MS)
    report("from the last of 10,000 logs to the end of the process", median(exits), EXIT_GOAL_MS)
    print(f"(bare Python needs {median(bare):.2f} ms from its last statement to its end)")


def exit_ms(program: str) -> float:
    """From the last log until the process is gone, bare exit of Python included."""
    child = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return (time.time() - float(child.stdout)) * 1e3


def report(what: str, value_ms: float, goal_ms: float) -> None:
    print(f"{what}: {value_ms:.2f} ms; goal {goal_ms:g} ms: {'reached' if value_ms <= goal_ms else 'MISSED'}")


if __name__ == "__main__":
    main()
