"""How fast does a large event file of TensorBoard become a run, beside TensorBoard's own fast loader?

    python -m benchmarks.event_files [--megabytes 1024] [--rounds 3]

The file holds ten metrics, logged in turn, as a training does. The import keeps every point in the index of a new home;
TensorBoard's loader (its data server, in Rust) keeps a sample of 1,000 points a metric in memory, which is all it
shows. It is asked until it tells the last step. Needs `pip install tensorboard`.
"""

import argparse
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from runyard.bridges.tensorboard import protobuf
from runyard.bridges.tensorboard.framing import RecordFile, framed
from runyard.bridges.tensorboard.importing import import_folder
from runyard.client import open_client
from runyard.journal import checksums

TAGS = 10
STEPS_OF_A_PIECE = 20_000
FIRST_STEP = 128**2  # from here on steps have three bytes for long


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


def imported_s(logs: Path, points: int) -> float:
    """Seconds for the import into a new home."""
    with tempfile.TemporaryDirectory(dir=logs.parent) as home, closing(open_client(home)) as client:
        begin = time.perf_counter()
        report = import_folder(client, logs, project="bench")
        took = time.perf_counter() - begin
    assert report.points == points
    return took


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


def loaded_s(logs: Path, last_step: int) -> float:
    """Seconds until TensorBoard's data server tells the last step of the last metric."""
    from tensorboard.context import RequestContext
    from tensorboard.data import server_ingester
    from tensorboard.util import grpc_util

    ingester: Any = server_ingester.SubprocessServerDataIngester(
        server_binary=server_ingester.get_server_binary(),
        logdir=str(logs),
        reload_interval=1,
        channel_creds_type=grpc_util.ChannelCredsType.LOCAL,
        samples_per_plugin={},
    )
    begin = time.perf_counter()
    ingester.start()
    try:
        while True:
            found = ingester.data_provider.list_scalars(RequestContext(), experiment_id="", plugin_name="scalars")
            steps = [metric.max_step for metrics in found.values() for metric in metrics.values()]
            if len(steps) == TAGS and min(steps) == last_step:
                return time.perf_counter() - begin
            time.sleep(0.02)
    finally:
        ingester._stdin_handle.close()  # which ends it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="event-files-") as folder:
        logs = Path(folder) / "logs"
        path = logs / "events.out.tfevents.1700000000.bench"
        points, last_step = write(path, given.megabytes)
        size = path.stat().st_size / 1e6
        print(f"{size:,.0f} MB, {points:,} points of {TAGS} metrics")
        took: dict[str, list[float]] = {}
        for _ in range(given.rounds):
            took.setdefault("reading the bytes (limit)", []).append(read_s(path))
            took.setdefault("cutting into records", []).append(framed_s(path))
            took.setdefault("TensorBoard's data server, a sample", []).append(loaded_s(logs, last_step))
            took.setdefault("runyard import, every point", []).append(imported_s(logs, points))
        for what, seconds in took.items():
            middle = median(seconds)
            print(f"{what:38} {middle:8.2f} s  {size / middle:8.1f} MB/s  {points / middle:12,.0f} points/s")


if __name__ == "__main__":
    main()
