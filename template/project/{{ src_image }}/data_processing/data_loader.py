"""Images and labels: the digits that come with scikit-learn, or a folder of PNG files with a labels.csv.

labels.csv has a header and one line an image: `file,label`. Everything about where data come from
and what they look like belongs here, so that training, inference and tests agree on it.
"""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CLASSES = 10  # the digits 0 to 9
SIZE = 8  # an image has 8 x 8 pixels, 0.0 is paper and 1.0 is ink

Images = NDArray[np.float32]
Labels = NDArray[np.int64]


class Split(NamedTuple):
    """Images to learn from, and images to measure with."""

    train_images: Images
    train_labels: Labels
    val_images: Images
    val_labels: Labels


def load(root: str | Path | None = None) -> tuple[Images, Labels]:
    """Load all images and labels.

    Args:
        root: a folder of PNG files with a labels.csv; None for the digits of scikit-learn.

    Returns:
        images of shape (n, 8, 8) with values in 0..1, and labels of shape (n,) with values in 0..9.

    Raises:
        FileNotFoundError: there is no such folder, or it has no labels.csv.
        ValueError: labels.csv names no images, or an image or a label does not fit.
    """
    if root is None:
        return _load_builtin()
    return _load_folder(Path(root))


def read_image(path: str | Path) -> Images:
    """Read one image file; return its pixels, shape (8, 8), values in 0..1."""
    from PIL import Image  # only here: the digits of scikit-learn need no image library

    with Image.open(path) as image:
        pixels = np.asarray(image.convert("L"), dtype=np.float32) / 255
    if pixels.shape != (SIZE, SIZE):
        raise ValueError(f"{path} has {pixels.shape[1]} x {pixels.shape[0]} pixels; {SIZE} x {SIZE} are wanted.")
    return pixels


def split(images: Images, labels: Labels, *, validation: float, seed: int = 0) -> Split:
    """Divide images and labels at random; the same seed always divides them in the same way.

    Args:
        validation: the part to measure with, between 0 and 1. At least one image lands on each side.
    """
    order = np.random.default_rng(seed).permutation(len(images))
    n_val = min(max(round(len(images) * validation), 1), len(images) - 1)
    val, train = order[:n_val], order[n_val:]
    return Split(images[train], labels[train], images[val], labels[val])


def _load_builtin() -> tuple[Images, Labels]:
    from sklearn.datasets import load_digits  # slow to import, and not needed for a folder

    digits = load_digits()
    return (digits.images / 16).astype(np.float32), digits.target.astype(np.int64)  # scikit-learn counts ink 0 to 16


def _load_folder(root: Path) -> tuple[Images, Labels]:
    table = root / "labels.csv"
    if not table.is_file():
        raise FileNotFoundError(f"{root} has no labels.csv. It needs one line an image: file,label")
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise ValueError(f"{table} names no images.")
    images = np.stack([read_image(root / row["file"]) for row in rows])
    labels = np.array([int(row["label"]) for row in rows], dtype=np.int64)
    if labels.min() < 0 or labels.max() >= CLASSES:
        raise ValueError(f"{table} has labels from {labels.min()} to {labels.max()}; 0 to {CLASSES - 1} are known.")
    return images, labels
