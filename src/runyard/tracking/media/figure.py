"""Figures of Matplotlib, as PNG."""

import sys
from io import BytesIO
from typing import Any

from runyard.errors import MissingExtra, UsageError


def encode_figure(figure: Any, *, dpi: int = 120) -> tuple[bytes, dict[str, Any]]:
    """PNG of a figure (or of the figure that an Axes belongs to); the figure is left as it is.

    Raises:
        MissingExtra: Matplotlib is not installed.
        UsageError: it is no figure.
    """
    if "matplotlib" not in sys.modules:  # then it can be no figure either; but say what is likelier
        try:
            import matplotlib  # noqa: F401
        except ImportError:
            raise MissingExtra(extra="figures", purpose="run.log_figure") from None
    if not hasattr(figure, "savefig"):
        owner = getattr(figure, "figure", None)
        if not hasattr(owner, "savefig"):
            raise UsageError(f"log_figure takes a figure of Matplotlib, not {type(figure).__name__}.")
        figure = owner
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, bbox_inches="tight")
    data = buffer.getvalue()
    return data, {"width": int.from_bytes(data[16:20], "big"), "height": int.from_bytes(data[20:24], "big")}
