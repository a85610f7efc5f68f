"""What a picture, a sound or a film is, by its first bytes: names of other trackers' files say less."""


def mime_of(data: bytes) -> str:
    """The mime type of what a browser can show or play; empty for anything else."""
    if data.startswith(b"RIFF"):
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(data[8:12], "")
    if data[4:8] == b"ftyp":
        return "video/mp4"
    return next((mime for mark, mime in _MARKS if data.startswith(mark)), "")


def kind_of(mime: str) -> str:
    """The kind of a medium: image, audio or video; empty for anything else."""
    kind = mime.partition("/")[0]
    return kind if kind in ("image", "audio", "video") else ""


_MARKS = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
)
