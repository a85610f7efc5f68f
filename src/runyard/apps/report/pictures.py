"""Pictures in a report: data URIs, as many as fit."""

from base64 import b64encode

from runyard.tracking.predictions.thumbnails import mime_of

ROOM_BYTES = 6_000_000  # of all pictures together, as base64; a report stays below 10 MB


def uri_of(thumbnail: bytes | None) -> str:
    """A picture as a text for `src`; empty if it is none."""
    mime = mime_of(thumbnail) if thumbnail else ""
    return f"data:{mime};base64,{b64encode(thumbnail).decode()}" if thumbnail and mime else ""


class Album:
    """Hands out data URIs until its room is used up; what appears twice counts twice, since it stands there twice."""

    def __init__(self, room_bytes: int = ROOM_BYTES) -> None:
        self._room = room_bytes
        self.left_out = 0

    def uri(self, thumbnail: bytes | None) -> str:
        """The picture as a text for `src`; empty if there is none, or no room for it."""
        text = uri_of(thumbnail)
        if len(text) > self._room:
            self.left_out += 1
            return ""
        self._room -= len(text)
        return text
