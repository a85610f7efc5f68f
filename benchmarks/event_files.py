"""How fast does a large event file of TensorBoard become a run, beside TensorBoard's own loaders?

    python -m benchmarks.event_files [--megabytes 1024] [--growth 32] [--rounds 1] [--all-points 10]

The file holds ten metrics, logged in turn, as a training does. The import keeps every point in the index of a new
home. TensorBoard's fast loader (its data server, in Rust) keeps a sample of 1,000 points a metric in memory, which is
all it shows; it is asked until it tells the last step. Then the file grows, and both follow. TensorBoard's loader in
Python can keep every point, and is given a small file, for it is slow. Each is a process of its own, whose largest
memory is told. Needs `pip install tensorboard`.
"""

import argparse
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil

from runyard.bridges import protobuf
from runyard.bridges.tensorboard.framing import RecordFile, framed
from runyard.bridges.tensorboard.importing import Follower, Report
from runyard.client import open_client
from runyard.journal import checksums

NAME = "events.out.tfevents.1700000000.bench"
TAGS = 10
STEPS_OF_A_PIECE = 20_000
FIRST_STEP = 128**2  # from here on steps have three bytes for long
PIECE_BYTES = 54 * STEPS_OF_A_PIECE * TAGS


def write(path: Path, megabytes: int) -> tuple[int, int]:
    """Write an event file; return its number of points and its last step."""
    path.parent.mkdir(parents=True)
    step = FIRST_STEP
    with path.open("wb") as file:
        file.write(framed(protobuf.put_double(1, 1.7e9) + protobuf.put_bytes(3, "brain.Event:2")))
        while file.tell() < megabytes << 20:
            file.write(piece(step))
            step += STEPS_OF_A_PIECE
    assert step < 128**3, "steps of one length only"
    return (step - FIRST_STEP) * TAGS, step - 1


def piece(first: int) -> bytes:
    """The records of some steps from `first` on, all metrics in turn."""
    steps = np.arange(first, first + STEPS_OF_A_PIECE)
    records = []
    for tag in range(TAGS):
        value = protobuf.put_bytes(1, f"train/metric_{tag}") + protobuf.put_float(2, 0)
        event = protobuf.put_double(1, 0) + protobuf.put_int(2, FIRST_STEP)
        record = event + protobuf.put_bytes(5, protobuf.put_bytes(1, value))
        rows = np.tile(np.frombuffer(framed(record), np.uint8), (len(steps), 1))
        size = len(record)
        rows[:, 13:21] = (1.7e9 + steps)[:, None].view(np.uint8)
        rows[:, 22:25] = np.stack([steps & 127 | 128, steps >> 7 & 127 | 128, steps >> 14], 1)
        rows[:, 8 + size : 12 + size] = (1 / (steps + tag + 1)).astype("<f4")[:, None].view(np.uint8)
        crcs = np.full(len(steps), checksums.crc(bytes(size), checksums.CRC32C), np.uint32)
        crcs ^= checksums.shares(rows[:, 12 : 12 + size], checksums.CRC32C, behind=0)
        carried = (crcs >> np.uint32(15) | crcs << np.uint32(17)) + np.uint32(0xA282EAD8)
        rows[:, 12 + size :] = carried[:, None].view(np.uint8)
        records.append(rows)
    return np.stack(records, 1).tobytes()


def followed(logs: str, points: int, asks: Connection) -> None:
    """Import into a new home, then follow; answers each message with the seconds that it took, and `used`."""
    with tempfile.TemporaryDirectory(dir=Path(logs).parent) as home, closing(open_client(home)) as client:
        follower, report = Follower(client, Path(logs), project="bench"), Report()
        while (more := asks.recv()) is not None:
            points += more
            begin = time.perf_counter()
            while report.points < points:
                follower.look(report)
            asks.send((time.perf_counter() - begin, *used()))


def all_points(logs: str, points: int, asks: Connection) -> None:
    """Load with TensorBoard's loader in Python, which keeps every point in memory."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    asks.recv()
    begin = time.perf_counter()
    found = EventAccumulator(logs, size_guidance={"scalars": 0})
    found.Reload()
    took = time.perf_counter() - begin
    assert sum(len(found.Scalars(tag)) for tag in found.Tags()["scalars"]) == points
    asks.send((took, *used()))


def used() -> tuple[float, float]:
    """Seconds of the processor, and the largest memory in MB, of this process since it began."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


@contextmanager
def beside(work: Callable[[str, int, Connection], None], logs: Path, points: int) -> Iterator[Connection]:
    """A fresh process that does some work, and the way to ask it."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=work, args=(str(logs), points, theirs))
    process.start()
    try:
        yield ours
        ours.send(None)
    finally:
        process.join(10)
        process.terminate()


def framed_s(path: Path) -> float:
    """Seconds for cutting the file into records alone: the part of the import that is a loop."""
    begin = time.perf_counter()
    assert sum(len(block.starts) for block in RecordFile(path).blocks())
    return time.perf_counter() - begin


def read_s(path: Path) -> float:
    """Seconds for reading the bytes: the limit."""
    begin = time.perf_counter()
    with path.open("rb") as file:
        while file.read(8 << 20):
            pass
    return time.perf_counter() - begin


class DataServer:
    """TensorBoard's data server, which looks for news every second."""

    def __init__(self, logs: Path) -> None:
        from tensorboard.data import server_ingester
        from tensorboard.util import grpc_util

        self._ingester: Any = server_ingester.SubprocessServerDataIngester(
            server_binary=server_ingester.get_server_binary(),
            logdir=str(logs),
            reload_interval=1,
            channel_creds_type=grpc_util.ChannelCredsType.LOCAL,
            samples_per_plugin={},
        )

    def start(self) -> None:
        before = {child.pid for child in psutil.Process().children()}
        self._ingester.start()
        (self._process,) = (child for child in psutil.Process().children() if child.pid not in before)

    def seen_s(self, last_step: int) -> float:
        """Seconds until it tells the last step of every metric."""
        from tensorboard.context import RequestContext

        begin = time.perf_counter()
        provider = self._ingester.data_provider
        while True:
            found = provider.list_scalars(RequestContext(), experiment_id="", plugin_name="scalars")
            steps = [metric.max_step for metrics in found.values() for metric in metrics.values()]
            if len(steps) == TAGS and min(steps) == last_step:
                return time.perf_counter() - begin
            time.sleep(0.02)

    def used(self) -> tuple[float, float]:
        """As of a process of ours."""
        status = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        (line,) = (each for each in status if "VmHWM" in each)
        times = self._process.cpu_times()
        return times.user + times.system, int(line.split()[1]) / 1024

    def close(self) -> None:
        self._ingester._stdin_handle.close()  # which ends it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--growth", type=int, default=32, help="megabytes by which the file grows [32]")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument(
        "--all-points", type=int, default=10, help="megabytes for the loader that keeps all; 0: leave out"
    )
    given = parser.parse_args()
    took: dict[str, list[tuple[float, ...]]] = {}  # megabytes, seconds, and what was used
    with tempfile.TemporaryDirectory(prefix="event-files-") as folder:
        for number in range(given.rounds):
            one_round(Path(folder) / str(number), given.megabytes, given.growth, took)
        if given.all_points:
            small = Path(folder) / "small"
            points, _ = write(small / NAME, given.all_points)
            for what, work in ((f"Python's loader, {given.all_points} MB", all_points), ("ours, the same", followed)):
                with beside(work, small, 0 if work is followed else points) as ask:
                    ask.send(points)
                    took[what] = [((small / NAME).stat().st_size / 1e6, *ask.recv())]
    print(f"load {os.getloadavg()[0]:.0f}")
    for what, rows in took.items():
        size, seconds, processor, memory = (median(column) for column in zip(*rows, strict=True))
        rates = f"{seconds:8.2f} s  {size / seconds:7.1f} MB/s"
        print(f"{what:44} {rates}  {processor:6.2f} s of the processor  {memory:5.0f} MB")


def one_round(logs: Path, megabytes: int, growth: int, took: dict[str, list[tuple[float, ...]]]) -> None:
    path = logs / NAME
    points, last_step = write(path, megabytes)
    size = path.stat().st_size / 1e6
    print(f"{size:,.0f} MB, {points:,} points of {TAGS} metrics", flush=True)
    took.setdefault("reading the bytes (limit)", []).append((size, read_s(path), 0, 0))
    took.setdefault("cutting into records", []).append((size, framed_s(path), 0, 0))
    server = DataServer(logs)
    begin = time.perf_counter()
    server.start()
    server.seen_s(last_step)
    took.setdefault("TensorBoard's data server, a sample", []).append(
        (size, time.perf_counter() - begin, *server.used())
    )
    with beside(followed, logs, 0) as ask:
        ask.send(points)
        took.setdefault("runyard import, every point", []).append((size, *ask.recv()))
        more = b"".join(
            piece(last_step + 1 + n * STEPS_OF_A_PIECE) for n in range(max((growth << 20) // PIECE_BYTES, 1))
        )
        added = len(more) // PIECE_BYTES
        with path.open("ab") as file:
            file.write(more)
        ask.send(added * STEPS_OF_A_PIECE * TAGS)
        seconds = server.seen_s(last_step + added * STEPS_OF_A_PIECE)
        took.setdefault("grown: the data server, at the same time", []).append(
            (len(more) / 1e6, seconds, *server.used())
        )
        took.setdefault("grown: runyard, at the same time", []).append((len(more) / 1e6, *ask.recv()))
    server.close()
    path.unlink()


if __name__ == "__main__":
    main()
