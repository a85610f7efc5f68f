"""What a run has shown, for a notebook: the latest of each name, drawn here, whatever its kind."""

from base64 import b64encode
from collections.abc import Iterable
from html import escape
from typing import Any

import msgspec

from runyard.drawing import Curve, chart, cleaned, paragraph, table
from runyard.index import MediaRow
from runyard.journal.events import Media

_MOST = 12
_MOST_BYTES = 1_500_000  # of pictures and sounds: a notebook keeps what it shows
PICTURES = ("image/png", "image/jpeg", "image/webp", "image/gif")  # no SVG of others: it may hold a script
PLAYED = {
    **dict.fromkeys(("audio/wav", "audio/mpeg", "audio/ogg", "audio/flac"), "audio"),
    **dict.fromkeys(("video/mp4", "video/webm"), "video"),
}
_MOST_TEXT = 2_000

Item = tuple[MediaRow, Media]


class Gallery(list[Item]):
    """Media by key and step, each with its place and its content."""

    def _repr_html_(self) -> str:
        latest: dict[str, Item] = {row.key: (row, media) for row, media in self}
        parts, room = [], _MOST_BYTES
        for row, media in list(latest.values())[:_MOST]:
            room -= len(media.data) if media.mime in (*PICTURES, *PLAYED) else 0
            parts.append(paragraph(f"{row.key}, step {row.step:,}", is_strong=True))
            parts.append(_shown(media) if room >= 0 else paragraph("too large to be kept in a notebook"))
        left = len(latest) - _MOST
        return "".join(parts) + (paragraph(f"… and {left:,} more") if left > 0 else "") or paragraph("No media.")


def _shown(media: Media) -> str:
    if media.mime in PICTURES or media.mime in PLAYED:
        return _embedded(media)
    try:
        return _drawn(media)
    except (msgspec.MsgspecError, ValueError, TypeError, KeyError, LookupError, AttributeError):
        return paragraph(f"{len(media.data):,} bytes of {media.mime}, which cannot be shown here")


def _embedded(media: Media) -> str:
    source = f"data:{media.mime};base64,{b64encode(media.data).decode()}"
    caption = cleaned(media.meta.get("caption", ""))
    style = "max-width:100%;max-height:360px"
    if player := PLAYED.get(media.mime):
        shown = f'<{player} controls src="{source}" style="{style}"></{player}>'
    else:
        style += ";min-width:56px;image-rendering:auto"
        shown = f'<img src="{source}" alt="{escape(caption)}" style="{style}">'
    return shown + (paragraph(caption) if caption else "")


def _drawn(media: Media) -> str:
    if media.kind == "text":
        text = media.data.decode("utf-8", "replace")
        shown = cleaned(text, _MOST_TEXT)
        return f'<pre class="tex2jax_ignore mathjax_ignore" style="white-space:pre-wrap">{escape(shown)}</pre>'
    content: Any = msgspec.json.decode(media.data)  # of whoever wrote the journal
    if media.kind == "table":
        return table(content["columns"], content["rows"], what="rows")
    if media.kind == "confusion_matrix":
        labels = content["labels"]
        rows = [[name, *row] for name, row in zip(labels, content["matrix"], strict=True)]
        return table(["truth \\ answer", *labels], rows, what="classes")
    if media.kind == "curve":
        title = content.get("y_label", "")
        return chart(title, [Curve(content.get("x_label", ""), _points(content["x"], content["y"]))])
    if media.kind == "histogram":
        edges, counts = content["edges"], content["counts"]
        stairs = [
            (edge, count) for low, high, count in zip(edges, edges[1:], counts, strict=False) for edge, count in
            ((low, count), (high, count))
        ]  # fmt: skip
        return chart("count", [Curve("", _points(*zip(*stairs, strict=True)))])
    return paragraph(f"{len(media.data):,} bytes of {media.mime}")


def _points(across: Iterable[Any], up: Iterable[Any]) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in zip(across, up, strict=True)]
