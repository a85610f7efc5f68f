"""Images from arrays, tensors and PIL, as PNG.

The encoder is our own thirty lines on `zlib`: Pillow is a large dependency, and only needed where it exists anyway.
"""

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runyard.errors import UsageError

MAX_PIXELS = 64_000_000
_COLOUR_TYPES = {1: 0, 3: 2, 4: 6}  # channels -> PNG's colour type


def encode_image(image: Any) -> tuple[bytes, dict[str, Any]]:
    """PNG bytes and {"width", "height"} of an image.

    `image` is an array of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), a PyTorch tensor of shape (C, H, W) or
    (H, W), or a PIL image; uint8, or booleans, or floats from 0 to 1 (values beyond are cut off, NaN is black).

    Raises:
        UsageError: the shape or the type is none of these.
    """
    pixels = pixels_of(image)
    height, width, channels = pixels.shape
    return encode_png(pixels), {"width": width, "height": height, "channels": channels}


def pixels_of(image: Any) -> NDArray[np.uint8]:
    """The pixels of an image as `encode_image` takes it, shape (H, W, 1 | 3 | 4).

    Raises:
        UsageError: the shape or the type is none of these.
    """
    return _as_bytes(_as_array(image))


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """PNG of pixels of shape (H, W, 1 | 3 | 4)."""
    height, width, channels = pixels.shape
    rows = np.zeros((height, 1 + width * channels), np.uint8)  # each row begins with its filter: 0, none
    rows[:, 1:] = pixels.reshape(height, width * channels)
    head = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    body = zlib.compress(rows.tobytes(), 6)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))


def _as_array(image: Any) -> NDArray[Any]:
    if hasattr(image, "convert") and hasattr(image, "getbands"):  # a PIL image; palettes and 16 bits become RGB
        return np.asarray(image if image.mode in ("L", "RGB", "RGBA") else image.convert("RGB"))
    if hasattr(image, "detach"):  # a tensor of PyTorch: channels first
        array = image.detach().cpu()
        array = np.asarray(array.float() if array.dtype.is_floating_point else array)  # NumPy has no bfloat16
        return np.moveaxis(array, 0, -1) if array.ndim == 3 else array
    return np.asarray(image)


def _as_bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in _COLOUR_TYPES or not array.size:
        raise UsageError(
            f"An image must have the shape (height, width) or (height, width, 1, 3 or 4), not {array.shape}. "
            "Tensors of PyTorch have their channels first; an array of NumPy has them last."
        )
    if array.shape[0] * array.shape[1] > MAX_PIXELS:
        raise UsageError(f"An image of {array.shape[0]} × {array.shape[1]} pixels is too large. Log it as a file.")
    if array.dtype == np.uint8:
        return array
    if array.dtype == bool:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind == "f":
        return np.asarray(np.rint(np.clip(np.nan_to_num(array.astype(np.float64)), 0.0, 1.0) * 255.0), np.uint8)
    if array.dtype.kind in "iu" and array.min() >= 0 and array.max() <= 255:
        return array.astype(np.uint8)
    raise UsageError(f"An image must be uint8 (0 to 255) or float (0 to 1), not {array.dtype} of that range.")
