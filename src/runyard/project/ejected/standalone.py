"""What this project's code calls to train and predict: settings, a run, models on disk. It needs nothing else."""

import contextlib
import csv
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self, TypeVar

import pydantic

Item = TypeVar("Item")

MANIFEST = "manifest.json"


class ProjectError(Exception):
    """Something the user can put right; the message says what."""

    exit_code = 2


# ---- settings ----


class Config(pydantic.BaseModel):
    """Settings: frozen, typed, unknown keys are refused."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    def replace(self, changes: Mapping[str, Any]) -> Self:
        """The same settings with others for some dotted keys; choosing another `kind` brings its own defaults."""
        settings = self.model_dump()
        for key, value in changes.items():
            *parents, name = key.split(".")
            block = settings
            for parent in parents:
                if not isinstance(block.get(parent), dict):
                    raise ProjectError(f"There is no setting '{key}'.")
                block = block[parent]
            if name == "kind" and block.get("kind") != value:
                block.clear()
            block[name] = value
        try:
            return type(self).model_validate(settings)
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            raise ProjectError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None

    def to_dict(self) -> dict[str, Any]:
        """All settings as plain values."""
        return self.model_dump(mode="json")


def Field(default: Any = ..., *, help: str = "", identity: bool = True, **limits: Any) -> Any:
    """A setting with its default, a sentence about it and its limits."""
    del identity  # which settings make another run of it: nobody asks here
    return pydantic.Field(default, description=help or None, **limits)


def parse_changes(texts: Iterable[str]) -> dict[str, Any]:
    """`optim.lr=0.01` as a key and a value: JSON where it is some, else text."""
    changes = {}
    for text in texts:
        key, found, value = text.partition("=")
        if not found:
            raise ProjectError(f"'{text}' is no setting. Write KEY=VALUE.")
        try:
            changes[key] = json.loads(value)
        except ValueError:
            changes[key] = value
    return changes


# ---- runs ----


class Run:
    """One training: what it logs goes to metrics.csv, its model to model/, in a folder of its own."""

    def __init__(self, folder: Path, *, config: Any, data: str | None = None) -> None:
        self.dir = folder
        self.config = config
        self.data = data
        self.values: dict[str, list[float]] = {}
        self.should_stop = False
        self.checkpoint_dir = folder / "checkpoints"
        self.checkpoint_dir.mkdir(parents=True, exist_ok=True)

    def log(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Append numbers to metrics.csv: step, key, value."""
        with (self.dir / "metrics.csv").open("a", newline="", encoding="utf-8") as file:
            for key, value in metrics.items():
                self.values.setdefault(key, []).append(float(value))
                csv.writer(file).writerow([step, key, float(value)])

    def progress(self, items: Iterable[Item]) -> Iterator[Item]:
        """Go through items and show how many are done."""
        known = list(items)
        started = time.monotonic()
        for number, item in enumerate(known, 1):
            yield item
            sys.stderr.write(f"\r{number}/{len(known)} in {time.monotonic() - started:.0f} s")
        sys.stderr.write("\n")

    def save_model(self, model: Any, name: str = "model", *, meta: Mapping[str, Any] | None = None) -> None:
        """Write a model without pickle, with the checksums of its files."""
        save_model(model, self.dir / name, meta=meta or {})

    def __getattr__(self, name: str) -> Callable[..., None]:
        if not name.startswith("log_"):
            raise AttributeError(name)
        return lambda *_, **__: None  # pictures and tables need a page to show them


@contextlib.contextmanager
def rehearse(config: Any, *, data: Any = None, folder: Any = None) -> Iterator[SimpleNamespace]:
    """A run in a folder that is gone afterwards, for tests; in the same `folder` it finds its checkpoints."""
    with contextlib.ExitStack() as stack:
        place = Path(folder or stack.enter_context(tempfile.TemporaryDirectory()))
        run = Run(place, config=config, data=None if data is None else str(data))
        yield SimpleNamespace(run=run, values=lambda key: run.values.get(key, []), model=place / "model")


# ---- models on disk ----


def save_model(model: Any, folder: Path, *, meta: Mapping[str, Any]) -> None:
    """Write a module of PyTorch, an estimator of scikit-learn or a dict of arrays into a new folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if hasattr(model, "state_dict"):
        import safetensors.torch

        framework, file = "torch", folder / "model.safetensors"
        safetensors.torch.save_model(model, str(file))
    elif isinstance(model, dict):
        import numpy

        framework, file = "arrays", folder / "model.npz"
        numpy.savez(file, **model)
    else:
        import skops.io

        framework, file = "sklearn", folder / "model.skops"
        skops.io.dump(model, file)
    entry = {"sha256": _sha256(file), "size_bytes": file.stat().st_size}
    kind = f"{type(model).__module__}.{type(model).__qualname__}"
    manifest = {"format": 1, "framework": framework, "type": kind, "versions": {}, "files": {file.name: entry}}
    (folder / MANIFEST).write_text(json.dumps({**manifest, "meta": dict(meta)}, indent=2) + "\n")


def read_manifest(folder: str | Path) -> SimpleNamespace:
    """What manifest.json says about a model: `framework`, `files`, `meta` …"""
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise ProjectError(f"{folder} holds no model: there is no {MANIFEST} in it.")
    return SimpleNamespace(**{"meta": {}, **json.loads(path.read_text(encoding="utf-8"))})


class ArrayInput:
    """Notes in an annotation what an array has to be; nothing here checks it."""

    def __init__(self, **declared: Any) -> None:
        self.declared = declared


class _OnArrays:
    """A module of PyTorch as a function of NumPy arrays."""

    def __init__(self, module: Any, device: str) -> None:
        self.module, self._device = module.to(device).eval(), device

    def __call__(self, *arrays: Any) -> Any:
        import torch

        with torch.inference_mode():
            return self.module(*(torch.from_numpy(array).to(self._device) for array in arrays)).cpu().numpy()


def load_model(folder: str | Path, *, into: Any = None, trusted: Iterable[str] = (), device: str | None = None) -> Any:
    """Read a model; no code runs that comes with it. A changed file is refused."""
    source = Path(folder)
    manifest = read_manifest(source)
    for name, entry in manifest.files.items():
        if not (source / name).is_file() or _sha256(source / name) != entry["sha256"]:
            raise ProjectError(f"{source / name} is missing or was changed after the model was saved.")
    if manifest.framework == "torch":
        import safetensors.torch

        path = str(source / "model.safetensors")
        if into is None:
            return safetensors.torch.load_file(path)
        safetensors.torch.load_model(into, path)
        return into if device is None else _OnArrays(into, device)
    if manifest.framework == "sklearn":
        import skops.io

        path = str(source / "model.skops")
        found = skops.io.get_untrusted_types(file=path)
        known = [name for name in found if name.split(".")[0] in ("sklearn", "numpy", "scipy") or name in trusted]
        return skops.io.load(path, trusted=known)
    import numpy

    with numpy.load(source / "model.npz", allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
