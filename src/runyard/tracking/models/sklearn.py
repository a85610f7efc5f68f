"""Models of scikit-learn, through skops: no code runs on loading, and foreign types are refused by name."""

from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from runyard.errors import MissingExtra, UsageError

FILE = "model.skops"

_TRUSTED_PACKAGES = {"sklearn", "numpy", "scipy"}
_NEVER = {"testing", "tests", "distutils", "f2py"}  # parts of them that can run a text as code


def can_save(model: Any) -> bool:
    return any(base.__module__.partition(".")[0] == "sklearn" for base in type(model).__mro__)


def save(model: Any, folder: Path) -> None:
    _skops_io().dump(model, folder / FILE)


def load(folder: Path, *, into: Any, trusted: Iterable[str], device: str | None) -> Any:
    del into, device  # an estimator brings its own structure, and computes on the CPU
    skops_io = _skops_io()
    found = skops_io.get_untrusted_types(file=folder / FILE)
    refused = sorted(set(found) - set(trusted) - {name for name in found if _is_known(name)})
    if refused:
        raise UsageError(
            f"The model in {folder} holds types that are neither of scikit-learn, NumPy nor SciPy: "
            f"{', '.join(refused)}. If you know that code, load it with trusted={refused!r}."
        )
    return skops_io.load(folder / FILE, trusted=found)


def versions() -> dict[str, str]:
    return {name: version(name) for name in ("scikit-learn", "skops", "numpy")}


def _is_known(name: str) -> bool:
    parts = name.split(".")
    return parts[0] in _TRUSTED_PACKAGES and not _NEVER & set(parts)


def _skops_io() -> Any:
    try:
        import skops.io
    except ImportError:
        raise MissingExtra(extra="sklearn", purpose="Saving and loading a model of scikit-learn") from None
    return skops.io
