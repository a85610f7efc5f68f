"""Predictions with sensible defaults."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from runyard.tracking.predictions import Predictions, collect


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
