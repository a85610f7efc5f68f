"""What an engine gets to build from: the files that docker/.dockerignore leaves, the model package, and wheels."""

import hashlib
import shutil
from pathlib import Path

from runyard.delivery.ignoring import Ignored
from runyard.delivery.own_wheel import write_own_wheel
from runyard.errors import UsageError
from runyard.serve.loading import refuse_pickle
from runyard.tracking.models import Manifest, read_manifest, verify_files

DOCKERFILE = "docker/Dockerfile"
IGNORE = "docker/.dockerignore"
_NEEDED = (DOCKERFILE, IGNORE, "docker/main.py", "requirements.txt")
_ONNX_INSTEAD_OF = {"torch", "torchvision", "safetensors", "scikit-learn", "skops"}


def lay_out(root: Path, context: Path, *, model: Path | None, wheels: Path | None) -> list[str]:
    """Copy what belongs into the image from a project to an empty folder; return the names.

    Raises:
        UsageError: the project has no Dockerfile and so on, or there is no such folder of wheels.
        NotFound, ServiceError: the model folder holds no model, or a damaged one, or a pickle.
    """
    for name in _NEEDED:
        if not (root / name).is_file():
            raise UsageError(f"{root} has no {name}, which every project has. `runyard new` shows one.")
    names = [
        name for name in Ignored((root / IGNORE).read_text()).left(root) if not name.startswith(("model/", "wheels/"))
    ]
    for name in names:
        _copy(root / name, context / name)
    if model is not None:
        checked_model(model)
        for file in sorted(path for path in model.rglob("*") if path.is_file()):
            _copy(file, context / "model" / file.relative_to(model))
    (context / "wheels").mkdir()
    write_own_wheel(context / "wheels")
    if wheels is not None:
        found = sorted(wheels.glob("*.whl")) if wheels.is_dir() else []
        if not found:
            raise UsageError(
                f"There are no wheels in {wheels} (--wheels). `pip download --dest {wheels} …` brings some."
            )
        for wheel in found:
            if not wheel.name.startswith("runyard-"):
                _copy(wheel, context / "wheels" / wheel.name)
    return names


def checksum(folder: Path) -> str:
    """A SHA-256, 64 hex digits, that follows from the names and contents of the files in a folder."""
    whole = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        with file.open("rb") as content:
            whole.update(f"{hashlib.file_digest(content, 'sha256').hexdigest()}  {file.name}\n".encode())
    return whole.hexdigest()


def checked_model(folder: Path) -> Manifest:
    """The manifest of a model package whose files are whole, and no pickles.

    Raises:
        NotFound, FormatUnknown, ServiceError: it is none.
    """
    manifest = read_manifest(folder)
    verify_files(folder, manifest)
    refuse_pickle(folder)
    return manifest


def needed_by(dockerfile: str, manifest: Manifest) -> str | None:
    """The packages for a model in ONNX: a runtime instead of a framework. None where the Dockerfile knows better."""
    if manifest.framework != "onnx":
        return None
    for line in dockerfile.splitlines():
        if line.startswith("ARG NEEDS="):
            named = line.partition("=")[2].strip().strip('"').split()
            return " ".join([*(name for name in named if name not in _ONNX_INSTEAD_OF), "onnxruntime"])
    return None


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
