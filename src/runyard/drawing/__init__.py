"""What people look at, as SVG and HTML texts: the same in page, report and notebook, without any library."""

from runyard.drawing.colours import Palette, colour, on_any_ground, tokens_css
from runyard.drawing.curves import Curve, chart
from runyard.drawing.frames import Frame, framed
from runyard.drawing.plot import Plot, nice_ceiling, ticks
from runyard.drawing.tables import cleaned, escaped, facts, number, paragraph, table

__all__ = [
    "Curve",
    "Frame",
    "Palette",
    "Plot",
    "chart",
    "cleaned",
    "colour",
    "escaped",
    "facts",
    "framed",
    "nice_ceiling",
    "number",
    "on_any_ground",
    "paragraph",
    "table",
    "ticks",
    "tokens_css",
]
