"""What a model saw, drawn over the picture that it was given."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runyard.errors import UsageError
from runyard.tracking.media.image import pixels_of

MAPS = ("mask", "heatmap", "overlay", "segmentation", "anomaly_map")  # columns that are pictures
BOXES = "boxes"
_INK = np.array([214, 40, 40], np.float64)
_SIDE = 640  # a small picture is enlarged to about this before something is drawn


def picture_of(value: Any) -> NDArray[np.uint8] | None:
    """The pixels of an input, shape (H, W, 3); None if it is no picture. Values beyond 0 to 1 are stretched."""
    try:
        array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
    except (TypeError, ValueError):
        return None
    if array.ndim == 3 and array.shape[0] in (1, 3) and array.shape[2] not in (1, 3, 4):
        array = np.moveaxis(array, 0, -1)  # channels first, as PyTorch has them
    if array.ndim not in (2, 3) or min(array.shape[:2], default=0) < 2 or array.dtype.kind not in "biuf":
        return None
    if array.dtype.kind == "f" and array.size and not 0 <= float(np.nanmin(array)) <= float(np.nanmax(array)) <= 1:
        array = _stretched(array)
    try:
        pixels = pixels_of(array)
    except UsageError:
        return None
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels[:, :, :3]


def overlaid(picture: NDArray[np.uint8], output: Mapping[str, Any], *, strength: float = 0.5) -> NDArray[np.uint8]:
    """The picture with maps (as colour, as strong as `strength`, 0 to 1) and boxes of an output drawn over it.

    A map is an array of shape (h, w) under a name such as "heatmap" or "mask"; it is stretched over the picture. Boxes
    are left, top, right, bottom in pixels of the picture.
    """
    enlarged = _enlarged(picture)
    for name in MAPS:
        array = _map(output.get(name))
        if array is not None:
            enlarged = _blended(enlarged, array, strength)
    scale = len(enlarged) / len(picture)
    for box in _boxes(output.get(BOXES)):
        enlarged = _framed(enlarged, [round(side * scale) for side in box])
    return enlarged


def has_overlay(output: Mapping[str, Any]) -> bool:
    """Whether there is a map whose strength could be chosen."""
    return any(_map(output.get(name)) is not None for name in MAPS)


def _map(value: Any) -> NDArray[np.float64] | None:
    if value is None:
        return None
    array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
    if array.ndim != 2 or array.dtype.kind not in "biuf" or not array.size:
        return None
    return _stretched(array) if float(np.nanmax(array)) > 1 else np.nan_to_num(array.astype(np.float64))


def _boxes(value: Any) -> list[list[float]]:
    if value is None or not len(value):
        return []
    array = np.asarray(value, np.float64)
    return array[:, :4].tolist() if array.ndim == 2 and array.shape[1] >= 4 and np.isfinite(array).all() else []


def _stretched(array: NDArray[Any]) -> NDArray[np.float64]:
    low, high = float(np.nanmin(array)), float(np.nanmax(array))
    return np.nan_to_num((array.astype(np.float64) - low) / ((high - low) or 1.0))


def _enlarged(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    factor = max(_SIDE // max(picture.shape[:2]), 1)
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def _blended(picture: NDArray[np.uint8], array: NDArray[np.float64], strength: float) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    rows = np.arange(height) * array.shape[0] // height
    columns = np.arange(width) * array.shape[1] // width
    share = np.clip(array[np.ix_(rows, columns)], 0, 1)[:, :, None] * strength
    return np.asarray(np.rint(picture * (1 - share) + _INK * share), np.uint8)


def _framed(picture: NDArray[np.uint8], box: list[int]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    left, right = sorted(min(max(side, 0), width - 1) for side in (box[0], box[2]))
    top, bottom = sorted(min(max(side, 0), height - 1) for side in (box[1], box[3]))
    thick = max(min(height, width) // 160, 1)
    framed = picture.copy()
    for rows, columns in (
        (slice(top, top + thick), slice(left, right + 1)),
        (slice(max(bottom - thick + 1, top), bottom + 1), slice(left, right + 1)),
        (slice(top, bottom + 1), slice(left, left + thick)),
        (slice(top, bottom + 1), slice(max(right - thick + 1, left), right + 1)),
    ):
        framed[rows, columns] = _INK.astype(np.uint8)
    return framed
