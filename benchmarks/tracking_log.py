"""What does `run.log` cost a training loop, beside a bare `os.write` of the same bytes?

Run it as: python benchmarks/tracking_log.py [FOLDER]     the folder decides the disk; a temporary one if left out
"""

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from struct import Struct
from time import perf_counter, time_ns
from typing import Any
from zlib import crc32

from runyard.journal import format as fmt
from runyard.tracking import Run

CALLS = 300  # few at a time, in turn with the bare writes, so that a busy moment of the machine hits both
ROUNDS = 301
GOALS = {1: (2.0, None), 20: (4.0, 10.0)}  # scalars: (times the bare write, µs)


def main() -> None:
    base = sys.argv[1] if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(dir=base) as folder:
        run = a_run(Path(folder))
        fd = os.open(Path(folder) / "bare", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        for scalars, (times_goal, us_goal) in GOALS.items():
            metrics = {f"train/metric_{number}_of_{scalars}": 0.1 * number for number in range(scalars)}
            record = os.urandom(fmt.ROW_OVERHEAD + 8 * scalars)
            log_us, write_us = measure(run, metrics, fd, record)
            times = log_us / write_us
            reached = times <= times_goal and (us_goal is None or log_us <= us_goal)
            goal = f"{times_goal:g} times" + (f" and {us_goal:g} µs" if us_goal else "")
            print(
                f"{scalars:2} scalars: run.log {log_us:.2f} µs, os.write of the same {len(record)} bytes "
                f"{write_us:.2f} µs, {times:.2f} times; goal {goal}: {'reached' if reached else 'MISSED'}"
            )
        print_floor(fd, {"train/metric": 0.1})
        os.close(fd)
        run.finish()


class Nothing:
    """What calling a method costs that does nothing."""

    def log(self, metrics: "dict[str, float] | None" = None, /, *, step: Any = None, **named: Any) -> None:
        """As `Run.log`, where the types are explained."""


def print_floor(fd: int, metrics: dict[str, float]) -> None:
    """What one scalar costs at least: the calls that no program in Python can leave out, each by itself."""
    body, pack, checksum, nothing = os.urandom(32), Struct("<Qqqd").pack, Struct("<I").pack, Nothing()
    calls: dict[str, Callable[[int], object]] = {
        "the method call": lambda step: nothing.log(metrics, step=step),
        "time_ns": lambda step: time_ns(),
        "struct.pack": lambda step: pack(7, step, 1_700_000_000_000_000_000, 0.1),
        "crc32": lambda step: crc32(body, fmt.RESIDUE),
        "the checksum's bytes": lambda step: checksum(fmt.RESIDUE),
        "joining both": lambda step: body + b"1234",
        "os.write": lambda step: os.write(fd, body),
    }
    empty = per_call_us(lambda step: None)
    costs = {name: per_call_us(call) - empty for name, call in calls.items()}
    print(
        f"floor of one scalar: {sum(costs.values()):.2f} µs, {sum(costs.values()) / costs['os.write']:.2f} times: ",
        end="",
    )
    print(", ".join(f"{name} {cost:.3f}" for name, cost in costs.items()))


def per_call_us(call: Callable[[int], object]) -> float:
    """Median in µs of one call."""
    samples = []
    for _ in range(ROUNDS):
        begin = perf_counter()
        for step in range(CALLS):
            call(step)
        samples.append((perf_counter() - begin) / CALLS * 1e6)
    return median(samples)


def measure(run: Run, metrics: dict[str, float], fd: int, record: bytes) -> tuple[float, float]:
    """Medians in µs of one call."""
    logs, writes = [], []
    for number in range(ROUNDS):
        begin = perf_counter()
        for step in range(number * CALLS, (number + 1) * CALLS):
            run.log(metrics, step=step)
        logs.append((perf_counter() - begin) / CALLS * 1e6)
        begin = perf_counter()
        for _step in range(number * CALLS, (number + 1) * CALLS):
            os.write(fd, record)
        writes.append((perf_counter() - begin) / CALLS * 1e6)
    return median(logs), median(writes)


def a_run(folder: Path) -> Run:
    """A run without a supervisor, as inside a training process."""
    from datetime import UTC, datetime

    from runyard.records import RunSpec, encode_spec, new_run_id

    spec = RunSpec(id=new_run_id(), project="benchmark", name="log", created_at=datetime.now(UTC))
    (folder / "attempts" / "1").mkdir(parents=True)
    (folder / "run.json").write_bytes(encode_spec(spec))
    return Run.attach(folder, 1)


if __name__ == "__main__":
    main()
