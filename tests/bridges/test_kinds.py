import pytest

from runyard.bridges.kinds import kind_of, mime_of


@pytest.mark.parametrize(
    ("data", "mime", "kind"),
    [
        (b"\x89PNG\r\n", "image/png", "image"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp", "image"),
        (b"RIFF\0\0\0\0WAVEfmt ", "audio/wav", "audio"),
        (b"RIFF\0\0\0\0AVI LIST", "", ""),
        (b"ID3\x04", "audio/mpeg", "audio"),
        (b"\0\0\0\x18ftypmp42", "video/mp4", "video"),
        (b"\x1a\x45\xdf\xa3", "video/webm", "video"),
        (b"<svg onload=alert(1)>", "", ""),
        (b"", "", ""),
    ],
)
def test_a_file_is_what_its_first_bytes_say(data: bytes, mime: str, kind: str) -> None:
    assert (mime_of(data), kind_of(mime)) == (mime, kind)
