"""Windows of a series and the value that follows each: the yearly numbers of sunspots, or a folder with a series.csv.

series.csv has a header and one line a point, the oldest first: `time,value`. Everything about where data come from
belongs here, and what they look like into contract.py beside it, so that training, inference and tests agree on it.
"""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

WINDOW = 24  # points that a forecast is made from: two cycles of the sun
SCALE = 100.0  # models see values / SCALE, so that they are around 1
SERIES = "series.csv"

Windows = NDArray[np.float32]
Targets = NDArray[np.float32]


class Split(NamedTuple):
    """Windows to learn from, and later ones to measure with."""

    train_windows: Windows
    train_targets: Targets
    val_windows: Windows
    val_targets: Targets


def load(root: str | Path) -> tuple[Windows, Targets]:
    """Load all windows and what follows them.

    Args:
        root: a folder with a series.csv.

    Returns:
        windows of shape (n, 24), the latest point last, and targets of shape (n,), both in the units of the series and
        the oldest first.

    Raises:
        FileNotFoundError: there is no such folder, or it has no series.csv.
        ValueError: the series is too short, or a value is no finite number.
    """
    path = Path(root) / SERIES
    values = np.array(read_columns(root)["value"], dtype=np.float32)
    if len(values) < WINDOW + 2:
        raise ValueError(f"{path} has {len(values)} points; {WINDOW + 2} are needed.")
    windows = np.lib.stride_tricks.sliding_window_view(values, WINDOW)
    return windows[:-1].copy(), values[WINDOW:].copy()


def read_columns(path: str | Path) -> dict[str, list]:
    """The times and values of a CSV file, or of the series.csv of a folder, as columns by name."""
    path = Path(path)
    points = read_series(path / SERIES if path.is_dir() else path)
    return {"time": [time for time, _ in points], "value": [value for _, value in points]}


def target_times(root: str | Path) -> list[str]:
    """The time of each target that `load` gives."""
    return read_columns(root)["time"][WINDOW:]


def read_series(path: Path) -> list[tuple[str, float]]:
    """Read the times and values of a CSV file."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path}. It needs one line a point, the oldest first: time,value")
    with path.open(newline="") as file:
        points = [(line["time"], float(line["value"])) for line in csv.DictReader(file)]
    wrong = next((time for time, value in points if not np.isfinite(value)), None)
    if wrong is not None:
        raise ValueError(f"{path} has no finite number at the time {wrong}.")
    return points


def split(windows: Windows, targets: Targets, *, validation: float) -> Split:
    """Divide by time: the latest part measures what the earlier part has taught.

    Args:
        validation: the part to measure with, between 0 and 1. At least one window lands on each side.
    """
    n_val = min(max(round(len(windows) * validation), 1), len(windows) - 1)
    return Split(windows[:-n_val], targets[:-n_val], windows[-n_val:], targets[-n_val:])


def naive_error(windows: Windows, targets: Targets) -> float:
    """The mean absolute error of saying that everything stays as it is: what a model must beat."""
    return float(np.abs(windows[:, -1] - targets).mean())
