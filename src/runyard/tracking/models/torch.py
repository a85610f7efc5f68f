"""Models of PyTorch: their weights as safetensors."""

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from runyard.errors import MissingExtra, UsageError

FILE = "model.safetensors"


class ArrayModule:
    """A module that is only asked any more, as a function of NumPy arrays; `module` is the module itself."""

    def __init__(self, module: Any, device: str) -> None:
        self.module = module.to(device).eval()
        self._device = device

    def __call__(self, *arrays: Any) -> Any:
        """The output for some arrays, as a NumPy array; a tuple if the module gives several."""
        import torch

        with torch.inference_mode():
            found = self.module(*(torch.from_numpy(array).to(self._device) for array in arrays))
        return tuple(each.cpu().numpy() for each in found) if isinstance(found, tuple) else found.cpu().numpy()


def can_save(model: Any) -> bool:
    if isinstance(model, Mapping):
        return bool(model) and all(_is_of_torch(value) for value in model.values())
    return _is_of_torch(model) and hasattr(model, "state_dict")


def save(model: Any, folder: Path) -> None:
    safetensors_torch = _safetensors()
    path = str(folder / FILE)
    if isinstance(model, Mapping):
        safetensors_torch.save_file({name: value.contiguous() for name, value in model.items()}, path)
    else:
        safetensors_torch.save_model(model, path)  # knows tensors that share memory, as tied weights do


def load(folder: Path, *, into: Any, trusted: Iterable[str], device: str | None) -> Any:
    del trusted  # weights hold no types
    safetensors_torch = _safetensors()
    path = str(folder / FILE)
    if into is None:
        return safetensors_torch.load_file(path)
    try:
        safetensors_torch.load_model(into, path)
    except (RuntimeError, KeyError) as problem:
        raise UsageError(f"The weights in {folder} do not fit {type(into).__name__}: {problem}") from None
    return into if device is None else ArrayModule(into, device)


def versions() -> dict[str, str]:
    return {name: version(name) for name in ("torch", "safetensors")}


def _is_of_torch(value: Any) -> bool:
    return any(base.__module__.partition(".")[0] == "torch" for base in type(value).__mro__)


def _safetensors() -> Any:
    try:
        import safetensors.torch
    except ImportError:
        raise MissingExtra(extra="torch", purpose="Saving and loading a model of PyTorch") from None
    return safetensors.torch
