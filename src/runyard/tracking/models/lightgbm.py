"""Boosters of LightGBM, and those of its estimators, as text."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from runyard.errors import UsageError

FILE = "model.txt"


def can_save(model: Any) -> bool:
    return any(base.__module__.partition(".")[0] == "lightgbm" for base in type(model).__mro__)


def save(model: Any, folder: Path) -> None:
    booster = getattr(model, "booster_", model)
    booster.save_model(folder / FILE, num_iteration=booster.best_iteration)


def load(folder: Path, *, into: Any, trusted: Iterable[str], device: str | None = None) -> Any:
    """A booster, whose `predict` gives probabilities."""
    del trusted, device  # trees hold no types
    if into is not None:
        raise UsageError("A model of LightGBM is read as a booster of its own: leave `into` out.")
    import lightgbm

    return lightgbm.Booster(model_file=folder / FILE)


def versions() -> dict[str, str]:
    import lightgbm

    return {"lightgbm": str(lightgbm.__version__)}
