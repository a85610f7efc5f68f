"""Texts of users on a page: Streamlit reads most of them as Markdown, in which a picture may come from anywhere."""

import io
import re
from html import escape

from runyard.tracking.predictions.thumbnails import mime_of

_MARKS = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])")
_SMALL = 128  # pixels; a smaller picture is enlarged without smoothing


def plain(text: object) -> str:
    """A text that Markdown only shows."""
    return _MARKS.sub(r"\\\1", " ".join(str(text).split()))


def block(tag: str, text: object, style: str = "") -> str:
    """An element of HTML around a text, escaped. `tag` and `style` are ours."""
    return f'<{tag} style="{style}">{escape(str(text))}</{tag}>'


def shown_picture(data: bytes | None) -> bytes | None:
    """A thumbnail as a page shows it: pixels of a tiny one stay squares. None for what is no picture."""
    if not data or not mime_of(data):
        return None
    from PIL import Image  # comes with Streamlit

    try:
        with Image.open(io.BytesIO(data)) as image:
            factor = -(-_SMALL // max(image.size))
            if factor == 1:
                return data
            out = io.BytesIO()
            size = (image.width * factor, image.height * factor)
            image.convert("RGB").resize(size, Image.Resampling.NEAREST).save(out, "PNG")
            return out.getvalue()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
