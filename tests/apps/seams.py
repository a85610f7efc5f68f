"""Weld seams that nobody ever welded: pictures, truth, and two models that look at them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runyard.tracking.predictions import Predictions, collect

LABELS = ("ok", "defect")
SIDE = 72


def pictures(n: int, *, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.float64]]:
    """Gray pictures of shape (n, 72, 72), whether each shows a defect, and how plainly (0 to 1)."""
    source = np.random.default_rng(seed)
    is_defect = (np.arange(n) % 5 == 0).astype(np.int64)
    plainness = np.where(is_defect == 1, source.beta(3, 1.6, n), source.beta(1.2, 6, n))
    return np.stack([_seam(source, float(plain)) for plain in plainness]), is_defect, plainness


def _seam(source: np.random.Generator, plainness: float) -> NDArray[np.uint8]:
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    middle = 0.5 + 0.05 * np.sin(5 * x + source.uniform(0, 6))
    ripples = 0.5 + 0.5 * np.sin(60 * (x + 0.6 * (y - middle) ** 2))
    picture = 96 + 90 * np.exp(-(((y - middle) / 0.16) ** 2)) * (0.75 + 0.25 * ripples)
    for _ in range(1 + int(plainness * 3)):
        at_x, at_y, size = source.uniform(0.2, 0.8), source.uniform(0.4, 0.6), 0.02 + 0.05 * plainness
        pore = np.exp(-(((x - at_x) ** 2 + (y - at_y) ** 2) / size**2))
        picture = picture - 150 * plainness * pore
    return np.asarray(np.clip(picture + source.normal(0, 7, picture.shape), 0, 255), np.uint8)


def inspected(n: int = 240, *, skill: float = 1.0, seed: int = 0, **more: Any) -> Predictions:
    """What a model says of `n` seams; the same seed shows the same seams to another model."""
    images, targets, plainness = pictures(n, seed=seed)
    noise = np.random.default_rng(round(100 * skill)).normal(0, 1.5 - skill * 0.6, n)
    scores = 1 / (1 + np.exp(-(7 * (plainness - 0.42) + noise)))
    settings: dict[str, Any] = {"ids": [f"seam-{number:04d}.png" for number in range(n)], "ms": 2.0 + plainness}
    return collect(targets, scores=scores, labels=LABELS, images=images, **settings | more)


def paths(n: int, folder: str) -> Sequence[str]:
    """Where the seams would lie."""
    return [f"{folder}/seam-{number:04d}.png" for number in range(n)]
