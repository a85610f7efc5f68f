"""`runyard image save`: a folder to carry to a site without network, with all that its IT asks for.

The image is saved with its layers (not exported, which loses them), compressed, and cut into parts below 4 GB, which
is the largest file that a stick formatted with FAT32 takes. Every file has a checksum; the id of the image, which no
transport can change, is compared once more after loading.
"""

import gzip
import hashlib
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from runyard.delivery.archive import ImageArchive
from runyard.delivery.components import as_json, licence_table, read_contents, sbom
from runyard.delivery.engines import Engine
from runyard.errors import ServiceError, UsageError
from runyard.serve.golden import FOLDER, read_samples
from runyard.tracking.models import MANIFEST, Manifest, read_manifest, verify_files

PART_BYTES = 4_000_000_000
SUMS = "SHA256SUMS"
_PIECE_BYTES = 1 << 20
_TEXTS = ("load.sh", "load.ps1", "compose.yaml", "README.en.md", "README.de.md")


@dataclass(frozen=True)
class Bundle:
    """A bundle that was written. `image_id`: `sha256:` and 64 hex digits."""

    folder: Path
    image_id: str
    parts: list[str]
    size_bytes: int
    components: int


def save_bundle(
    engine: Engine,
    tag: str,
    out: Path,
    *,
    model: Path,
    part_bytes: int = PART_BYTES,
    tell: Callable[[str], None] = lambda stage: None,
) -> Bundle:
    """Write a bundle into a folder that does not exist yet; it appears whole or not at all.

    Args:
        model: the model package that the image holds, or is to be run with.
        part_bytes: largest size of a part of the image.

    Raises:
        UsageError: the folder exists, or there is no such image or model.
        ServiceError: the engine could not save, or the model is damaged.
        OSError: the disk is full.
    """
    if out.exists() or out.is_symlink():
        raise UsageError(f"{out} exists already. Name a folder that is yet to be made.")
    manifest = read_manifest(model)
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.absolute().parent) as scratch:
        draft, image = Path(scratch) / "bundle", Path(scratch) / "image.tar"
        draft.mkdir()
        tell("saving the image")
        engine.save(tag, image)
        with ImageArchive(image) as archive:
            tell("listing what is inside")
            image_id = archive.id
            name = archive.tags[0] if archive.tags else tag  # as it will be called after loading
            contents = read_contents(archive)
            layers = archive.layer_ids
        tell("compressing")
        parts, unpack = _compressed(image, draft, part_bytes)
        image.unlink()
        _copy_model(model, manifest, draft / "model")
        (draft / "sbom.cdx.json").write_bytes(
            as_json(sbom(contents, name=name, version=manifest.id, image_id=image_id))
        )
        (draft / "LICENCES.txt").write_text(licence_table(contents.components), encoding="utf-8")
        for place, data in contents.licences.items():
            target = draft / "licences" / place
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        whole = parts[0].removesuffix(".001")
        values = {
            "TAG": name,
            "ID": image_id.removeprefix("sha256:"),
            "LAYERS": " ".join(layers),
            "PARTS": " ".join(parts),
            "FILE": whole,
            "UNPACK": unpack,
            "PROJECT": str(manifest.origin.get("project", name)),
            "MODEL": manifest.id,
            "SPLIT_EN": f", in {len(parts)} parts" if len(parts) > 1 else "",
            "SPLIT_DE": f", in {len(parts)} Teilen" if len(parts) > 1 else "",
            "CURL": _curl(model),
        }
        for text in _TEXTS:
            _write_text(draft / text, values)
        tell("writing checksums")
        size_bytes = _write_sums(draft)
        draft.rename(out)
    return Bundle(out, image_id, parts, size_bytes, len(contents.components))


def _copy_model(source: Path, manifest: Manifest, target: Path) -> None:
    """What the manifest names, and nothing else that lies there or is linked to."""
    verify_files(source, manifest)
    for name in (MANIFEST, *manifest.files):
        if not name.isprintable() or "\\" in name:
            raise ServiceError(
                f"{source / MANIFEST} names the file {name!r}, which a list of checksums cannot hold. "
                "Make the package again: `runyard package`."
            )
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)


def _compressed(image: Path, folder: Path, part_bytes: int) -> tuple[list[str], str]:
    """Compress the image into parts; their names, and the command that unpacks them."""
    if shutil.which("zstd"):
        name, unpack = "image.tar.zst", "zstd --decompress --stdout"
        with subprocess.Popen(["zstd", "-10", "--quiet", "--stdout", str(image)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None  # it was asked for
            parts = _split(process.stdout.read, folder, name, part_bytes)
        if process.returncode:
            raise ServiceError("zstd could not compress the image; its message stands above.")
        return parts, unpack
    name, unpack = "image.tar.gz", "gzip --decompress --stdout"
    whole = folder / name
    with image.open("rb") as source, gzip.GzipFile(whole, "wb", compresslevel=6, mtime=0) as target:
        shutil.copyfileobj(source, target, _PIECE_BYTES)
    if whole.stat().st_size <= part_bytes:
        return [name], unpack
    with whole.open("rb") as source:
        parts = _split(source.read, folder, name, part_bytes)
    whole.unlink()
    return parts, unpack


def _split(read: Callable[[int], bytes], folder: Path, name: str, part_bytes: int) -> list[str]:
    parts: list[str] = []
    data = read(min(_PIECE_BYTES, part_bytes))
    while data:
        part = f"{name}.{len(parts) + 1:03}"
        room = part_bytes
        with (folder / part).open("wb") as target:
            while data and len(data) <= room:
                target.write(data)
                room -= len(data)
                data = read(min(_PIECE_BYTES, part_bytes))
        parts.append(part)
    if len(parts) == 1:
        (folder / parts[0]).rename(folder / name)
        return [name]
    return parts


def _curl(model: Path) -> str:
    samples = read_samples(model).samples
    if not samples:
        return "curl http://127.0.0.1:8000/openapi.json"
    first = samples[0]
    kind, file = f"Content-Type: {first.content_type}", f"@model/{FOLDER}/{first.request}"
    return f"curl -H {shlex.quote(kind)} --data-binary {shlex.quote(file)} http://127.0.0.1:8000/predict"


def _write_text(path: Path, values: dict[str, str]) -> None:
    text = files("runyard.delivery").joinpath("handover", path.name).read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    newline = "\r\n" if path.suffix == ".ps1" else "\n"
    path.write_text(text, encoding="utf-8", newline=newline)
    if path.suffix == ".sh":
        path.chmod(0o755)


def _write_sums(folder: Path) -> int:
    """Write SHA256SUMS; the size of all files in bytes."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = []
    for path in found:
        with path.open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.relative_to(folder).as_posix()}\n")
    (folder / SUMS).write_text("".join(lines), encoding="utf-8", newline="\n")
    return sum(path.stat().st_size for path in found)
