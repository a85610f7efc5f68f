"""Images and the boxes in them: scenes of digits, or a folder of PNG files with a boxes.csv.

boxes.csv has a header and one line a box: `file,label,left,top,right,bottom`, in pixels. Everything about where data
come from belongs here, and what they look like into contract.py beside it, so that training, inference and tests agree.
"""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from src.data_processing.scenes import SIZE, compose

CLASSES = 10  # the digits 0 to 9
BUILTIN = 600  # scenes
TABLE = "boxes.csv"

Images = NDArray[np.float32]
Boxes = NDArray[np.float32]  # shape (k, 5): label, left, top, right, bottom


class Split(NamedTuple):
    """Images to learn from, and images to measure with."""

    train_images: Images
    train_boxes: list[Boxes]
    val_images: Images
    val_boxes: list[Boxes]


def load(root: str | Path | None = None) -> tuple[Images, list[Boxes]]:
    """Load all images and boxes.

    Args:
        root: a folder of PNG files with a boxes.csv; None for scenes of scikit-learn's digits.

    Returns:
        images of shape (n, 32, 32) with values in 0..1, and for each the boxes in it, shape (k, 5): a label in 0..9,
        then left, top, right, bottom in 0..32.

    Raises:
        FileNotFoundError: there is no such folder, or it has no boxes.csv.
        ValueError: boxes.csv names no images, a line of it is no box, or an image does not fit.
    """
    if root is None:
        return compose(BUILTIN, seed=1)
    return _load_folder(Path(root))


def read_image(path: str | Path) -> Images:
    """Read one image file; return its pixels, shape (32, 32), values in 0..1."""
    from PIL import Image  # only here: scenes need no image library

    with Image.open(path) as image:
        pixels = np.asarray(image.convert("L"), dtype=np.float32) / 255
    if pixels.shape != (SIZE, SIZE):
        raise ValueError(f"{path} has {pixels.shape[1]} x {pixels.shape[0]} pixels; {SIZE} x {SIZE} are wanted.")
    return pixels


def split(images: Images, boxes: list[Boxes], *, validation: float, seed: int = 0) -> Split:
    """Divide images and boxes at random; the same seed always divides them in the same way.

    Args:
        validation: the part to measure with, between 0 and 1. At least one image lands on each side.
    """
    order = np.random.default_rng(seed).permutation(len(images))
    n_val = min(max(round(len(images) * validation), 1), len(images) - 1)
    val, train = order[:n_val], order[n_val:]
    return Split(images[train], [boxes[i] for i in train], images[val], [boxes[i] for i in val])


def overlap(one: Boxes, other: Boxes) -> float:
    """Intersection over union of two boxes of shape (5,), 0..1."""
    left, top = np.maximum(one[1:3], other[1:3])
    right, bottom = np.minimum(one[3:], other[3:])
    shared = max(right - left, 0) * max(bottom - top, 0)
    areas = [(box[3] - box[1]) * (box[4] - box[2]) for box in (one, other)]
    return float(shared / (sum(areas) - shared)) if shared else 0.0


def f1(found: list[Boxes], wanted: list[Boxes], *, least: float = 0.5) -> float:
    """How well boxes were found, 0..1: each may count once, with the right label and an overlap of at least `least`."""
    hits = 0
    for boxes, truth in zip(found, wanted, strict=True):
        open_boxes = list(truth)
        for box in boxes:
            best = max(range(len(open_boxes)), key=lambda i: overlap(box, open_boxes[i]), default=None)
            if best is not None and box[0] == open_boxes[best][0] and overlap(box, open_boxes[best]) >= least:
                hits += 1
                del open_boxes[best]
    return 2 * hits / max(sum(map(len, found)) + sum(map(len, wanted)), 1)


def _load_folder(root: Path) -> tuple[Images, list[Boxes]]:
    table = root / TABLE
    if not table.is_file():
        raise FileNotFoundError(f"{root} has no {TABLE}. It needs one line a box: file,label,left,top,right,bottom")
    found: dict[str, list[list[float]]] = {}
    with table.open(newline="") as file:
        for row in csv.DictReader(file):
            try:
                box = [float(row[name]) for name in ("label", "left", "top", "right", "bottom")]
            except (KeyError, TypeError, ValueError):
                raise ValueError(f"{table} has a line that is no box, of {row.get('file')}: {row}.") from None
            found.setdefault(row["file"], []).append(box)
    if not found:
        raise ValueError(f"{table} names no images.")
    images = np.stack([read_image(root / name) for name in found])
    return images, [np.array(boxes, dtype=np.float32) for boxes in found.values()]
