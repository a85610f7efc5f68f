"""Rows and labels: the wines that come with scikit-learn, or a folder with a table.csv.

table.csv has a header with the names below and `label`, and one line a sample; an empty cell is a missing value.
Everything about where data come from belongs here, and what they look like into contract.py beside it, so that
training, inference and tests agree on it.
"""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FEATURES = (  # what a chemical analysis of a wine found
    "alcohol",
    "malic_acid",
    "ash",
    "alcalinity_of_ash",
    "magnesium",
    "total_phenols",
    "flavanoids",
    "nonflavanoid_phenols",
    "proanthocyanins",
    "color_intensity",
    "hue",
    "od280/od315_of_diluted_wines",
    "proline",
)
CLASSES = 3  # the growers 0 to 2
TABLE = "table.csv"

Rows = NDArray[np.float32]
Labels = NDArray[np.int64]


class Split(NamedTuple):
    """Rows to learn from, and rows to measure with."""

    train_rows: Rows
    train_labels: Labels
    val_rows: Rows
    val_labels: Labels


def load(root: str | Path | None = None) -> tuple[Rows, Labels]:
    """Load all rows and labels.

    Args:
        root: a folder with a table.csv; None for the wines of scikit-learn.

    Returns:
        rows of shape (n, 13), columns as in FEATURES and NaN where a value is missing, and labels of shape (n,) with
        values in 0..2.

    Raises:
        FileNotFoundError: there is no such folder, or it has no table.csv.
        ValueError: the table has no rows, lacks a column, or a value does not fit.
    """
    if root is None:
        return _load_builtin()
    table = Path(root) / TABLE
    rows = read_rows(table)
    with table.open(newline="") as file:
        labels = np.array([int(line["label"]) for line in csv.DictReader(file)], dtype=np.int64)
    if labels.min() < 0 or labels.max() >= CLASSES:
        raise ValueError(f"{table} has labels from {labels.min()} to {labels.max()}; 0 to {CLASSES - 1} are known.")
    return rows, labels


def read_rows(path: Path) -> Rows:
    """Read the features of a CSV file, shape (n, 13), NaN for an empty cell; other columns are left alone."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no {path}. It needs one line a sample: {','.join(FEATURES)},label")
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    if not lines:
        raise ValueError(f"{path} has no rows.")
    missing = [name for name in FEATURES if lines[0].get(name) is None]
    if missing:
        raise ValueError(f"{path} has no column '{missing[0]}'.")
    rows = np.full((len(lines), len(FEATURES)), np.nan, dtype=np.float32)
    for number, line in enumerate(lines):
        for place, name in enumerate(FEATURES):
            try:
                rows[number, place] = float(line[name]) if line[name] else np.nan
            except ValueError:
                raise ValueError(f"{path} has no number in row {number + 2}: '{name}' is '{line[name]}'.") from None
    return rows


def columns(rows: Rows) -> dict[str, Rows]:
    """The same rows, shape (n, 13), as columns by name."""
    return dict(zip(FEATURES, rows.T, strict=True))


def split(rows: Rows, labels: Labels, *, validation: float, seed: int = 0) -> Split:
    """Divide rows and labels at random; the same seed always divides them in the same way.

    Args:
        validation: the part to measure with, between 0 and 1. At least one row lands on each side.
    """
    order = np.random.default_rng(seed).permutation(len(rows))
    n_val = min(max(round(len(rows) * validation), 1), len(rows) - 1)
    val, train = order[:n_val], order[n_val:]
    return Split(rows[train], labels[train], rows[val], labels[val])


def _load_builtin() -> tuple[Rows, Labels]:
    from sklearn.datasets import load_wine  # slow to import, and not needed for a folder

    wines = load_wine()
    return wines.data.astype(np.float32), wines.target.astype(np.int64)
