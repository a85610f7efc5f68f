"""Runs as a customer is told of them."""

from datetime import UTC, datetime
from typing import Any

from runyard.apps.facts import Curve, Facts, Metric, Subject
from runyard.apps.report import Options
from runyard.tracking.predictions import Predictions

NOVEMBER = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def facts(**more: Any) -> Facts:
    """A run that completed."""
    steps = tuple(range(20))
    settings: dict[str, Any] = {
        "id": "8fk2m3qd7a",
        "name": "weld-lr0.01",
        "project": "weld-seam",
        "state": "COMPLETED",
        "created_at": NOVEMBER,
        "duration_s": 754.0,
        "user": "anna",
        "host": "ws7.example",
        "tags": ("candidate",),
        "data": "/srv/customer/seams",
        "data_versions": {"data.root": "3f9a1c20be77"},
        "data_sizes": {"data.root": (1240, 96_400_000)},
        "config": {"optim.lr": "0.01", "optim.kind": "adam", "epochs": "20", "data.root": "/srv/customer/seams"},
        "changed": ("optim.lr",),
        "metrics": {
            "val/accuracy": Metric(last=0.94, best=0.952, best_step=17, goal="max"),
            "val/loss": Metric(last=0.21, best=0.19, best_step=15, goal="min"),
            "train/loss": Metric(last=0.08),
        },
        "curves": {
            "val/accuracy": Curve(steps=steps, values=tuple(0.95 - 0.4 * 0.75**step for step in steps)),
            "val/loss": Curve(steps=steps, values=tuple(0.2 + 1.1 * 0.8**step for step in steps)),
            "train/loss": Curve(steps=steps, values=tuple(0.05 + 1.3 * 0.78**step for step in steps)),
        },
        "code": {"commit": "4be1c0ffee00", "branch": "anna/better-light", "changes": "uncommitted"},
        "environment": {"python": "3.12.1", "platform": "Linux-6.1", "cpu": "AMD EPYC", "gpus": "NVIDIA A10"},
        "packages": {"numpy": "2.1.0", "torch": "2.13.0", "pillow": "11.0.0"},
    }
    return Facts(**settings | more)


def subject(predictions: Predictions | None = None, **more: Any) -> Subject:
    """A run with its answers."""
    return Subject(facts=facts(**more), predictions=predictions)


def options(**more: Any) -> Options:
    """A report of that day."""
    settings: dict[str, Any] = {"title": "Weld seam inspection", "customer": "Demo GmbH", "now": NOVEMBER}
    return Options(**settings | more)
