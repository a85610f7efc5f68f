"""Models of Keras 3, in its own format: a zip of JSON and weights, read in its safe mode."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from runyard.errors import UsageError

FILE = "model.keras"


def can_save(model: Any) -> bool:
    return any(base.__module__.partition(".")[0] == "keras" for base in type(model).__mro__) and hasattr(model, "save")


def save(model: Any, folder: Path) -> None:
    model.save(folder / FILE)


def load(folder: Path, *, into: Any, trusted: Iterable[str], device: str | None = None) -> Any:
    del trusted, device  # classes of one's own come with `into`; the backend chooses the device
    import keras

    if into is not None:
        into.load_weights(folder / FILE)
        return into
    try:
        return keras.saving.load_model(folder / FILE, compile=False, safe_mode=True)
    except (TypeError, ValueError) as problem:  # a lambda, or a class of one's own
        raise UsageError(
            f"The model in {folder} cannot be built without code that is not Keras's: {problem}. If you have that "
            "code, build the model and load the weights with into=model."
        ) from None


def versions() -> dict[str, str]:
    import keras

    return {"keras": str(keras.__version__)}
