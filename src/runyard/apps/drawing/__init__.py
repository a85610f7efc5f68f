"""Charts as SVG texts: the same in the page and in the report, without any library."""

from runyard.apps.drawing.colours import colour, tokens_css
from runyard.apps.drawing.frames import Frame, framed
from runyard.apps.drawing.plot import Plot, nice_ceiling, ticks

__all__ = ["Frame", "Plot", "colour", "framed", "nice_ceiling", "ticks", "tokens_css"]
