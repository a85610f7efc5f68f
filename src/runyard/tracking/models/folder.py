"""A model as a folder: its weights in a format that runs no code when read, and manifest.json.

The manifest says which framework and versions wrote it, and the SHA-256 of each file. `load_model` checks them
before it hands a single byte to the framework.
"""

import hashlib
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import msgspec

from runyard.errors import FormatUnknown, NotFound, ServiceError, UsageError

MANIFEST = "manifest.json"
MANIFEST_FORMAT = 1

# Asked in this order: a model of Keras may be a module of PyTorch, an estimator of XGBoost is one of scikit-learn, a
# dict of tensors is also a dict. A new framework is one file and one entry.
FRAMEWORKS = ("keras", "torch", "xgboost", "lightgbm", "sklearn", "onnx", "arrays")

# What may be added to a model, or written anew, without making it another one.
_BESIDE_THE_MODEL = ("golden/", "MODEL_CARD.md")


class FileEntry(msgspec.Struct, frozen=True, kw_only=True):
    sha256: str
    size_bytes: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The content of manifest.json."""

    format: int = MANIFEST_FORMAT
    framework: str
    type: str  # the model's class, for people
    versions: dict[str, str]
    files: dict[str, FileEntry]
    meta: dict[str, Any] = {}  # JSON-like, the caller's own
    # What `runyard package` adds, so that the folder tells everything without the run:
    origin: dict[str, Any] = {}  # project, run, config, code, versions
    interface: dict[str, Any] = {}  # JSON schemas of input and output
    metrics: dict[str, dict[str, float | None]] = {}  # by name: last, best …
    threshold: float | None = None
    parity: dict[str, Any] = {}  # of a converted model: how far its answers are from the original's

    @property
    def id(self) -> str:
        """Twelve hex digits that follow from the bytes of the model alone."""
        lines = [
            f"{name} {entry.sha256}"
            for name, entry in sorted(self.files.items())
            if not name.startswith(_BESIDE_THE_MODEL)
        ]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


class Framework(Protocol):
    """What each module in this folder offers. No function runs code that a model file brings along."""

    def can_save(self, model: Any) -> bool:
        """Whether the model is of this framework; told without importing it."""
        ...

    def save(self, model: Any, folder: Path) -> None:
        """Write the model's files into the empty folder."""
        ...

    def load(self, folder: Path, *, into: Any, trusted: Iterable[str], device: str | None) -> Any:
        """Read what `save` wrote."""
        ...

    def versions(self) -> dict[str, str]:
        """Versions of the packages that wrote the files."""
        ...


def save_model(model: Any, folder: "str | Path", *, meta: dict[str, Any] | None = None) -> Manifest:
    """Write a model and its manifest into a new or empty folder.

    `model` is a module or state dict of PyTorch, an estimator of scikit-learn, a model of ONNX, or a dict of NumPy
    arrays.

    Raises:
        UsageError: no framework here can save such a model without pickle, or the folder is not empty.
        MissingExtra: a package is needed for that.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    if any(target.iterdir()):
        raise UsageError(f"{target} is not empty. Choose another folder for the model.")
    name, framework = _framework_of(model)
    framework.save(model, target)
    manifest = Manifest(
        framework=name,
        type=f"{type(model).__module__}.{type(model).__qualname__}",
        versions={"python": sys.version.split()[0], **framework.versions()},
        files={},
        meta=dict(meta or {}),
    )
    return write_manifest(target, manifest)


def write_manifest(folder: Path, manifest: Manifest) -> Manifest:
    """Write manifest.json with the checksums of all other files that lie in the folder now."""
    files = {
        file.relative_to(folder).as_posix(): FileEntry(sha256=_sha256(file), size_bytes=file.stat().st_size)
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file != folder / MANIFEST
    }
    manifest = msgspec.structs.replace(manifest, files=files)
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    return manifest


def load_model(
    folder: "str | Path", *, into: Any = None, trusted: Iterable[str] = (), device: str | None = None
) -> Any:
    """Read a model that `save_model` (or `run.save_model`) wrote.

    Args:
        folder: with manifest.json.
        into: a module of PyTorch that gets the weights and is returned; without it the state dict is returned.
        trusted: full names of types that a model of scikit-learn may hold besides those of scikit-learn, NumPy
            and SciPy, e.g. "weld.model.Scaler".
        device: "cpu", "cuda" or "cuda:1": the module goes there, for inference, and a function of NumPy arrays comes
            back, as it does for a model in ONNX. Other frameworks take no notice.

    Raises:
        NotFound: there is no manifest.
        FormatUnknown: it is of another version or framework.
        ServiceError: a file is missing or was changed after the model was saved.
        UsageError: the model holds types that are not trusted; they are named.
        MissingExtra: a package is needed to read it.
    """
    source = Path(folder)
    manifest = read_manifest(source)
    verify_files(source, manifest)
    return _framework(manifest.framework).load(source, into=into, trusted=trusted, device=device)


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Compare the files of a model folder with the checksums in its manifest.

    Raises:
        ServiceError: a file is missing or was changed after the model was saved.
    """
    for name, entry in manifest.files.items():
        file = folder / name
        if Path(name).is_absolute() or ".." in Path(name).parts or not file.is_file():
            raise ServiceError(f"{file}, which the model's manifest names, is not there. Fetch the model again.")
        if _sha256(file) != entry.sha256:
            raise ServiceError(f"{file} was changed or damaged after the model was saved. Fetch the model again.")


def read_manifest(folder: "str | Path") -> Manifest:
    """Read and check manifest.json of a model folder.

    Raises:
        NotFound: there is none.
        FormatUnknown: it is of another version or framework.
    """
    path = Path(folder) / MANIFEST
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"{folder} holds no model: there is no {MANIFEST} in it.") from None
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.ValidationError, msgspec.DecodeError) as problem:
        raise FormatUnknown(f"{path} cannot be read as a model's manifest: {problem}.") from None
    if manifest.format != MANIFEST_FORMAT or manifest.framework not in FRAMEWORKS:
        raise FormatUnknown(
            f"{path} has format {manifest.format} of {manifest.framework!r}; this Runyard knows format "
            f"{MANIFEST_FORMAT} of {', '.join(FRAMEWORKS)}. Install the version that wrote it."
        )
    return manifest


def _framework_of(model: Any) -> tuple[str, Framework]:
    for name in FRAMEWORKS:
        framework = _framework(name)
        if framework.can_save(model):
            return name, framework
    raise UsageError(
        f"A model of type {type(model).__module__}.{type(model).__qualname__} cannot be saved without pickle. "
        "save_model takes modules and state dicts of PyTorch, models of Keras, XGBoost and LightGBM, estimators of "
        "scikit-learn and dicts of NumPy arrays; "
        "write anything else to a file yourself and use log_artifact."
    )


def _framework(name: str) -> Framework:
    framework: Any = import_module(f"runyard.tracking.models.{name}")  # a module keeps the protocol
    return framework  # type: ignore[no-any-return]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
