"""Boxes drawn over the picture that they are in."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple

from runyard.drawing.colours import colour

_SMALL = 128  # pixels; the squares of a smaller picture are not smoothed


class Frame(NamedTuple):
    """A box (left, top, right, bottom in pixels of the picture) and a word. The truth is solid, answers are dashed."""

    corners: Sequence[float]
    label: str
    ink: str
    is_truth: bool


def framed(uri: str, size: tuple[int, int], frames: Iterable[Frame], *, title: str = "") -> str:
    """A picture with boxes as one `<svg>` that refers to nothing.

    Args:
        uri: the picture as a data URI; it is stretched over all of `size`.
        size: width and height that the boxes are measured in.
        title: for screen readers.
    """
    width, height = size
    text_px = max(width / 14, 1.0)
    smooth = "pixelated" if width <= _SMALL else "auto"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{max(width, 320)}"'
        f' role="img" aria-label="{escape(title)}" font-family="sans-serif" font-size="{text_px:.2f}">'
        f'<image href="{escape(uri)}" width="{width}" height="{height}" preserveAspectRatio="none"'
        f' style="image-rendering:{smooth}"/>'
    ]
    for each in frames:
        left, top, right, bottom = each.corners
        dash = "" if each.is_truth else ' stroke-dasharray="5 4"'
        at_y = top - text_px * 0.2 if each.is_truth else bottom + text_px * 0.9
        parts.append(
            f'<rect x="{left:.1f}" y="{top:.1f}" width="{max(right - left, 0):.1f}" height="{max(bottom - top, 0):.1f}"'
            f' fill="none" stroke="{colour(each.ink)}" stroke-width="2" vector-effect="non-scaling-stroke"{dash}/>'
            f'<text x="{left:.1f}" y="{min(max(at_y, text_px), height):.1f}" fill="{colour(each.ink)}"'
            f' stroke="{colour("panel")}" stroke-width="{text_px / 6:.2f}" paint-order="stroke">'
            f"{escape(each.label)}</text>"
        )
    return "".join([*parts, "</svg>"])
