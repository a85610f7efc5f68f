"""A model of one's own: a dict of NumPy arrays, as .npz without pickle."""

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from runyard.errors import UsageError

FILE = "model.npz"


def can_save(model: Any) -> bool:
    return (
        isinstance(model, Mapping)
        and bool(model)
        and all(isinstance(name, str) and isinstance(value, np.ndarray | np.generic) for name, value in model.items())
    )


def save(model: Any, folder: Path) -> None:
    for name, value in model.items():
        if value.dtype.hasobject:
            raise UsageError(f"The array {name!r} holds Python objects, which cannot be saved without pickle.")
        if not name or name.startswith("/") or ".." in name.split("/"):
            raise UsageError(f"{name!r} is no name for an array: it becomes a file name inside {FILE}.")
    with (folder / FILE).open("wb") as file:  # a path without suffix would get one
        np.savez(file, allow_pickle=False, **{name: np.asarray(value) for name, value in model.items()})


def load(folder: Path, *, into: Any, trusted: Iterable[str], device: str | None) -> Any:
    del into, trusted, device  # arrays need none of it
    with np.load(folder / FILE, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def versions() -> dict[str, str]:
    return {"numpy": version("numpy")}
