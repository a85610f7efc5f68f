"""Scenes to find digits in: real digits of scikit-learn, laid on an empty page without touching each other.

`python -m src.data_processing.scenes FOLDER 40` writes 40 scenes and their boxes.csv, as tests/data holds them.
"""

import csv
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SIZE = 32  # pixels of a side
DIGIT = 8  # pixels of a side of a digit
MOST = 3  # digits on one page


def compose(n_scenes: int, *, seed: int) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
    """Make scenes, the same ones for the same seed.

    Returns:
        images of shape (n, 32, 32), values in 0..1; and for each an array of shape (k, 5) of what is there: label,
        left, top, right, bottom, in pixels from the upper left corner. A box encloses the ink.
    """
    from sklearn.datasets import load_digits  # slow to import, and not needed for a folder

    digits = load_digits()
    random = np.random.default_rng(seed)
    images = np.zeros((n_scenes, SIZE, SIZE), dtype=np.float32)
    boxes = []
    for image in images:
        found = []
        for position in random.choice(_places(random), size=random.integers(1, MOST + 1), replace=False):
            which = random.integers(len(digits.images))
            ink = (digits.images[which] / 16).astype(np.float32)  # scikit-learn counts ink 0 to 16
            left, top = (int(edge) for edge in position)
            image[top : top + DIGIT, left : left + DIGIT] = ink
            rows, columns = np.nonzero(ink > 0.1)
            box = (left + columns.min(), top + rows.min(), left + columns.max() + 1, top + rows.max() + 1)
            found.append((digits.target[which], *box))
        boxes.append(np.array(found, dtype=np.float32))
    return images, boxes


def write(folder: Path, n_scenes: int, *, seed: int) -> None:
    """Write scenes as PNG files, and a boxes.csv with one line a box: file,label,left,top,right,bottom."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    images, boxes = compose(n_scenes, seed=seed)
    with (folder / "boxes.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["file", "label", "left", "top", "right", "bottom"])
        for number, (image, found) in enumerate(zip(images, boxes, strict=True)):
            name = f"{number:04}.png"
            Image.fromarray(np.round(image * 255).astype(np.uint8)).save(folder / name)
            table.writerows([name, *(int(value) for value in box)] for box in found)


def _places(random: np.random.Generator) -> NDArray[np.int64]:
    """Corners of digits that do not touch each other: one in each quarter of the page, somewhere in it."""
    quarter = SIZE // 2
    corners = np.array([(left, top) for left in (0, quarter) for top in (0, quarter)])
    return corners + random.integers(0, quarter - DIGIT, size=corners.shape)


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]), seed=2)
