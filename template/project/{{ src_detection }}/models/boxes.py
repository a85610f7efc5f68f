"""The boxes that the model means. NumPy alone, so that a container for ONNX can do without PyTorch."""

import numpy as np
from numpy.typing import NDArray

from src.data_processing.data_loader import Boxes, overlap
from src.data_processing.scenes import DIGIT, SIZE

STRIDE = 4  # pixels of a side of a cell
GRID = SIZE // STRIDE  # cells of a side


def decode(answers: NDArray[np.float32], *, threshold: float = 0.5) -> list[tuple[Boxes, list[float]]]:
    """The boxes that answers of shape (n, 8, 8, 15) mean, the surest first, with how sure the model is of each (0..1).

    Args:
        threshold: what is less sure is left out. Of two boxes that overlap the surer one is kept.
    """
    scores = 1 / (1 + np.exp(-answers[..., 0].clip(-60, 60)))  # (n, 8, 8)
    edges = (answers[..., 1:5] * DIGIT + middles()).clip(0, SIZE)  # (n, 8, 8, 4)
    labels = answers[..., 5:].argmax(axis=-1)[..., None]  # (n, 8, 8, 1)
    boxes = np.concatenate([labels, edges], axis=-1).astype(np.float32)
    found = []
    for image_scores, image_boxes in zip(scores, boxes, strict=True):
        kept: list[tuple[float, Boxes]] = []
        sure = image_scores > threshold
        candidates = zip(image_scores[sure].tolist(), image_boxes[sure], strict=True)
        for score, box in sorted(candidates, key=lambda pair: -pair[0]):
            if all(overlap(box, other) < 0.3 for _, other in kept):
                kept.append((score, box))
        found.append((np.array([box for _, box in kept], dtype=np.float32), [score for score, _ in kept]))
    return found


def middles() -> NDArray[np.float32]:
    """The middle of each cell as left, top, right, bottom, in pixels, shape (8, 8, 4)."""
    edges = (np.arange(GRID, dtype=np.float32) + 0.5) * STRIDE
    rows, columns = np.meshgrid(edges, edges, indexing="ij")
    return np.stack([columns, rows, columns, rows], axis=-1)
