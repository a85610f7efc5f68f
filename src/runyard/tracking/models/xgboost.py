"""Boosters of XGBoost, and its estimators, as UBJSON, which is data alone."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

FILE = "model.ubj"


def can_save(model: Any) -> bool:
    return any(base.__module__.partition(".")[0] == "xgboost" for base in type(model).__mro__)


def save(model: Any, folder: Path) -> None:
    model.save_model(folder / FILE)


def load(folder: Path, *, into: Any, trusted: Iterable[str], device: str | None = None) -> Any:
    """A booster, or `into`, an estimator such as XGBClassifier()."""
    del trusted, device  # trees hold no types; a booster computes where it is told to later
    import xgboost

    model = into if into is not None else xgboost.Booster()
    model.load_model(folder / FILE)
    return model


def versions() -> dict[str, str]:
    import xgboost  # its distribution may have another name

    return {"xgboost": str(xgboost.__version__)}
