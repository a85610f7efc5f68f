"""The model package: a model folder that tells where it comes from, and proves itself.

To the weights and the manifest that `run.save_model` wrote come golden samples, the schemas of input and output, the
table of metrics and a model card. `run.py infer --model`, the Streamlit page and the container read the same folder.
"""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from runyard.delivery import card, conversion
from runyard.errors import RunyardError, UsageError
from runyard.serve import golden
from runyard.serve.computing import Computer
from runyard.serve.interface import JSON, Interface
from runyard.serve.loading import refuse_pickle
from runyard.tracking.models import Manifest, read_manifest, verify_files, write_manifest

_CONTENT_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".bmp": "image/bmp",
}
_PLAIN = re.compile(r"\w[\w .()+-]*")  # names that every shell, file system and list of checksums takes as they are
_TABLES = (".csv", ".parquet", ".json", ".jsonl")


@dataclass(frozen=True, kw_only=True)
class PackageOrder:
    """What to pack.

    model: the folder that `run.save_model` has written.
    inference: the project's src/inference.py, imported.
    samples: a folder or file to take golden samples from; `most_samples` of them.
    origin: JSON-like; where the model comes from.
    metrics: by name, what the run measured.
    """

    model: Path
    inference: ModuleType
    samples: Path
    most_samples: int = 8
    origin: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, dict[str, float | None]] = field(default_factory=dict)
    threshold: float | None = None
    is_onnx: bool = False


@dataclass(frozen=True)
class Packed:
    """A package that was made."""

    folder: Path
    manifest: Manifest
    samples: golden.Samples


def make_package(order: PackageOrder, out: Path, tell: Callable[[str], None] = lambda stage: None) -> Packed:
    """Write a package into a folder that does not exist yet; it appears whole or not at all.

    Raises:
        UsageError: the folder exists, there are no samples, or the project cannot load or predict.
        ServiceError: the model folder is damaged or holds a pickle.
    """
    if out.exists() or out.is_symlink():
        raise UsageError(f"{out} exists already. Name a folder that is yet to be made.")
    refuse_pickle(order.model)
    verify_files(order.model, read_manifest(order.model))
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.absolute().parent) as scratch:
        draft = Path(scratch) / "package"
        packed = _make(order, draft, tell)
        draft.rename(out)
    return Packed(out, packed.manifest, packed.samples)


def _make(order: PackageOrder, draft: Path, tell: Callable[[str], None]) -> Packed:
    interface = Interface(_function(order.inference, "predict"))
    tell("collecting golden samples")
    found = list(_samples(interface, order))
    if not found:
        raise UsageError(
            f"{order.samples} holds nothing that src/inference.py takes as an input, so there is nothing to prove the "
            "model with. Name a file or folder of real samples with --samples."
        )
    requests = {request: data for request, _, data, _ in found}
    values = [value for *_, value in found]
    _copy_model(order.model, draft)
    model = _loaded(order, order.model)
    parity: dict[str, Any] = {}
    if order.is_onnx:
        tell("converting to ONNX, and comparing")
        parity = conversion.to_onnx(model, order.inference.predict, values, draft)
        model = _loaded(order, draft)
    tell("asking for the golden answers")
    computer = Computer(model, order.inference.predict, interface)
    answers = [computer.documents([value])[0] for value in values]
    for (request, *_), answer in zip(found, answers, strict=True):
        if isinstance(answer, Exception):
            raise UsageError(f"The model has no answer to the sample {request}: {answer}")
    samples = golden.Samples(
        samples=tuple(
            golden.Sample(request=request, content_type=kind, answer=answer)
            for (request, kind, _, _), answer in zip(found, answers, strict=True)
        )
    )
    golden.write_samples(draft, samples, requests)
    manifest = msgspec.structs.replace(
        read_manifest(draft),
        origin=order.origin,
        interface=interface.schema(),
        metrics=order.metrics,
        threshold=order.threshold,
        parity=parity,
    )
    (draft / card.FILE).write_text(card.render(write_manifest(draft, manifest), samples), encoding="utf-8")
    return Packed(draft, write_manifest(draft, manifest), samples)


def _copy_model(source: Path, target: Path) -> None:
    """The files that the manifest names, without what an earlier packing has added."""
    manifest = read_manifest(source)
    for name in manifest.files:
        if not name.startswith((f"{golden.FOLDER}/", card.FILE)):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target / name)
    write_manifest(target, manifest)


def _loaded(order: PackageOrder, folder: Path) -> Any:
    try:
        return _function(order.inference, "load")(folder, "cpu")
    except RunyardError:
        raise
    except Exception as problem:  # whatever the project's code raises is the user's to read
        raise UsageError(f"src/inference.py cannot load {folder}: {type(problem).__name__}: {problem}") from problem


def _function(inference: ModuleType, name: str) -> Callable[..., Any]:
    found = getattr(inference, name, None)
    if not callable(found):
        raise UsageError(f"{inference.__file__} has no function '{name}'.")
    function: Callable[..., Any] = found
    return function


def _samples(interface: Interface, order: PackageOrder) -> Iterator[tuple[str, str, bytes, Any]]:
    """Requests with their name, content type, bytes and the input that they are; spread over all that there are."""
    if not order.samples.exists():
        raise UsageError(f"There are no samples at {order.samples}. Name some with --samples.")
    if interface.takes_files:
        files = sorted(order.samples.rglob("*")) if order.samples.is_dir() else [order.samples]
        wanted = [path for path in files if path.suffix.lower() in _CONTENT_TYPES]
        names: set[str] = set()
        for number, path in enumerate(golden.evenly(wanted, order.most_samples), start=1):
            data, kind = path.read_bytes(), _CONTENT_TYPES[path.suffix.lower()]
            name = path.name if _PLAIN.fullmatch(path.name) and path.name not in names else f"{number:03}{path.suffix}"
            names.add(name)
            yield name, kind, data, interface.one(data, kind, path.name)
        return
    for number, value in enumerate(golden.evenly(_rows(interface, order), order.most_samples), start=1):
        data = interface.encoded_input(value)
        yield f"{number:03}.json", JSON, data, interface.one(data, JSON)


def _rows(interface: Interface, order: PackageOrder) -> list[Any]:
    """Inputs that come in files of several, as rows of a table: through the project's `read`, if it has one."""
    from runyard.serve.table import read_rows  # late: files of images need none of it

    read = getattr(order.inference, "read", None)
    try:
        if callable(read):
            return [interface.checked(value) for _, value in read(order.samples)]
        files = sorted(order.samples.rglob("*")) if order.samples.is_dir() else [order.samples]
        tables = [path for path in files if path.suffix in _TABLES]
        return [interface.checked(row) for path in tables for row in read_rows(path)]
    except (OSError, ValueError) as problem:
        raise UsageError(f"{order.samples} cannot be read: {problem}") from None
