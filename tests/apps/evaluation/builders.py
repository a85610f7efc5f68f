"""Predictions with sensible defaults."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from runyard.tracking.predictions import Predictions, collect, collect_boxes


def weld_seams(scores: Sequence[float], targets: Sequence[int], **more: Any) -> Predictions:
    """Two classes, "ok" and "defect", with the score of a defect for each sample."""
    return collect(list(targets), scores=list(scores), labels=["ok", "defect"], **more)


def digits(n: int = 200, *, seed: int = 0, quality: float = 3.0, **more: Any) -> Predictions:
    """Three classes and random scores, of which `quality` pulls those of the right class up."""
    source = np.random.default_rng(seed)
    targets = np.arange(n) % 3
    logits = source.normal(size=(n, 3))
    logits[np.arange(n), targets] += quality
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    settings: dict[str, Any] = {"labels": ["seven", "eight", "nine"], "ids": [f"s{i}" for i in range(n)]}
    return collect(targets, scores=scores, **settings | more)


def distances(n: int = 40, *, seed: int = 0, noise: float = 0.1) -> Predictions:
    """A regression."""
    source = np.random.default_rng(seed)
    targets = np.linspace(1.0, 2.0, n)
    return collect(targets, targets + source.normal(scale=noise, size=n), ids=[f"s{i}" for i in range(n)])


def scenes(*, score: float = 0.9) -> Predictions:
    """Six images of 32 x 32 with a pore at the upper left and a crack at the lower right, but the last two.

    The first is right; then a crack that was missed, a pore taken for a crack (and the crack found too weakly), a pore
    too many; an empty image that is right, and a crack that was found too weakly. `score` is that of sure answers.
    """
    pore, crack = [0, 2, 2, 12, 12], [1, 18, 18, 28, 30]
    both = [pore, crack]
    found = [
        [[*pore, score], [*crack, score]],
        [[0, 2, 3, 12, 12, score]],
        [[1, 2, 2, 12, 12, score], [*crack, 0.4]],
        [[*pore, score], [*crack, score], [0, 20, 2, 30, 10, 0.6]],
        [],
        [[1, 5, 5, 20, 20, 0.2]],
    ]
    images = np.random.default_rng(0).random((6, 32, 32)).astype(np.float32)
    wanted = [both, both, both, both, [], [[1, 5, 5, 20, 20]]]
    return collect_boxes(wanted, found, labels=["pore", "crack"], images=images)
