"""A model that may answer: its files are whole, it is loaded, and it gives the golden answers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runyard.errors import NotFound, ServiceError
from runyard.serve import golden
from runyard.tracking.models import Manifest, read_manifest, verify_files

if TYPE_CHECKING:
    from runyard.serve.service import Service

_UNSAFE = {".pkl", ".pickle", ".joblib", ".pt", ".pth", ".bin", ".ckpt"}


@dataclass(frozen=True)
class Loaded:
    """A model with what is known about it; `checked` are its golden samples."""

    model: Any
    manifest: Manifest
    checked: list[golden.Compared]


def open_model(service: "Service", tell: Callable[[str], None] = lambda stage: None) -> Loaded:
    """Check the files of a model folder, load it, and let it answer the golden samples; `tell` hears what goes on.

    Raises:
        NotFound, FormatUnknown, ServiceError: there is no model, or a damaged one; nothing is loaded then.
        UsageError: the project cannot load it.
    """
    folder = service.model
    if not folder.is_dir():
        raise NotFound(f"There is no model folder {folder}. Name one with --model, or mount one there.")
    refuse_pickle(folder)
    tell("checking the files of the model")
    manifest = read_manifest(folder)
    verify_files(folder, manifest)
    tell("loading the model")
    model = service.load(folder, service.device)
    tell("asking the golden samples")
    return Loaded(model, manifest, golden.compare(folder, model, service.predict, service.interface))


def refuse_pickle(folder: Path) -> None:
    """Raise ServiceError if a folder holds a file that runs code when it is loaded.

    Raises:
        ServiceError: it names the first of them.
    """
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() in _UNSAFE:
            raise ServiceError(
                f"{file} may be a pickle, which can run any code when it is loaded. Save with run.save_model, "
                "which writes safetensors, ONNX or skops."
            )


def wrong_answers(checked: list[golden.Compared]) -> str:
    """A sentence about the golden samples that were answered otherwise, or nothing."""
    wrong = [each for each in checked if each.differences]
    if not wrong:
        return ""
    return (
        f"{len(wrong)} of {len(checked)} golden samples got another answer than when the model was packed; "
        f"the first is {wrong[0].request}: {wrong[0].differences[0]}."
    )
