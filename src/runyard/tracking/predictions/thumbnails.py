"""Small images of samples: enough to recognise them, small enough that a report can be mailed."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runyard.tracking.media.image import encode_png, pixels_of

SIDE = 160  # pixels of the longer side at most
MOST = 400  # of a run; the worst answers first
_TINY_BYTES = 20_000  # uncompressed; PNG is small enough, and exact
_QUALITY = 80


def chosen(wrongness: NDArray[np.float64], *, most: int = MOST) -> list[int]:
    """Which samples get one: all if they are few, else the worst, and every so-manieth of the others."""
    n = len(wrongness)
    if n <= most:
        return list(range(n))
    worst_first = np.argsort(-wrongness, kind="stable")
    n_worst = most * 3 // 4
    others = np.sort(worst_first[n_worst:])
    evenly = others[np.linspace(0, len(others) - 1, most - n_worst).round().astype(np.intp)]
    return sorted({*worst_first[:n_worst].tolist(), *evenly.tolist()})


def of_image(image: Any) -> bytes:
    """The thumbnail of an array, a tensor or an image of PIL, as `run.log_image` takes them.

    Raises:
        UsageError: it is no image.
    """
    pixels = _shrunk(pixels_of(image))
    if pixels.size <= _TINY_BYTES:
        return encode_png(pixels)
    return _as_webp(pixels) or encode_png(pixels)


def of_file(path: str | Path) -> bytes | None:
    """The thumbnail of an image file; None if it is none, or Pillow is missing."""
    try:
        from PIL import Image
    except ImportError:
        return None
    try:
        with Image.open(path) as image:
            image.draft("RGB", (SIDE * 2, SIDE * 2))  # a large JPEG is decoded small
            image.thumbnail((SIDE, SIDE))
            return of_image(image)
    except (OSError, ValueError, SyntaxError):  # no image, or one that is cut off
        return None


def mime_of(data: bytes) -> str:
    """The type of a thumbnail; empty if it is none that a page may show."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return "image/jpeg" if data.startswith(b"\xff\xd8\xff") else ""


def make(numbers: Sequence[int], *, images: Any, paths: Sequence[str]) -> dict[int, bytes]:
    """Thumbnails by sample number, of images where there are some, else of the files at `paths`."""
    if images is not None:
        return {number: of_image(images[number]) for number in numbers}
    found = {number: of_file(paths[number]) for number in numbers if number < len(paths) and paths[number]}
    return {number: data for number, data in found.items() if data}


def _shrunk(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Means of square blocks; at most SIDE pixels on the longer side."""
    height, width, channels = pixels.shape
    block = -(-max(height, width) // SIDE)
    if block == 1:
        return pixels
    rows, columns = max(height // block, 1), max(width // block, 1)
    tall, wide = min(block, height), min(block, width)  # an image may be thinner than a block
    cut = pixels[: rows * tall, : columns * wide].reshape(rows, tall, columns, wide, channels)
    return np.asarray(cut.mean(axis=(1, 3)).round(), np.uint8)


def _as_webp(pixels: NDArray[np.uint8]) -> bytes | None:
    """None where Pillow, or its WebP, is missing."""
    try:
        from PIL import Image, features
    except ImportError:
        return None
    if not features.check("webp"):
        return None
    out = io.BytesIO()
    Image.fromarray(pixels.squeeze(-1) if pixels.shape[2] == 1 else pixels).save(out, "WEBP", quality=_QUALITY)
    return out.getvalue()
