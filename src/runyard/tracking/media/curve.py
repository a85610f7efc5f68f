"""Curves that are no series over steps, such as ROC or precision over recall.

JSON {"x": [n], "y": [n], "x_label": text, "y_label": text}.
"""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from runyard.errors import UsageError

MOST_POINTS = 2_000  # more than a screen shows


def encode_curve(x: Any, y: Any, *, x_label: str = "", y_label: str = "") -> tuple[bytes, dict[str, Any]]:
    """A curve through points of shape (n,) each, in their order; points that are not finite are left out.

    More than 2,000 points are thinned evenly; the first and the last stay.

    Raises:
        UsageError: x and y are not equally long, hold no numbers, or no point is finite.
    """
    across, up = _numbers(x, "x"), _numbers(y, "y")
    if across.shape != up.shape:
        raise UsageError(f"A curve needs as many x as y; these are {across.size:,} and {up.size:,}.")
    is_finite = np.isfinite(across) & np.isfinite(up)
    across, up = across[is_finite], up[is_finite]
    if not across.size:
        raise UsageError("A curve needs at least one point that is finite.")
    if across.size > MOST_POINTS:
        kept = np.linspace(0, across.size - 1, MOST_POINTS).round().astype(np.intp)
        across, up = across[kept], up[kept]
    content = {"x": across.tolist(), "y": up.tolist(), "x_label": str(x_label), "y_label": str(y_label)}
    return msgspec.json.encode(content), {"points": int(across.size)}


def _numbers(values: Any, name: str) -> NDArray[np.float64]:
    array = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
    if array.dtype.kind not in "biuf":
        raise UsageError(f"The {name} of a curve must be numbers, not {array.dtype}.")
    return array.astype(np.float64).ravel()
