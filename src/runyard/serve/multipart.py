"""Forms with files (multipart/form-data, RFC 7578), taken apart in memory: a read-only container has no disk."""

from email.message import Message
from typing import NamedTuple

from runyard.serve.refusals import Refused

MOST_PARTS = 1000
_LONGEST_HEADER = 1024  # characters; taking a header apart takes the square of its length


class Part(NamedTuple):
    """One field of a form; `filename` is None for a field that is no file."""

    name: str
    filename: str | None
    data: bytes

    @property
    def text(self) -> str:
        return self.data.decode(errors="replace")


def parts(body: bytes, content_type: str) -> list[Part]:
    """The fields of a form, in their order.

    Raises:
        Refused: it is damaged, empty, or has more than a thousand parts or a header of absurd length; status 400.
    """
    boundary = _parameter("content-type", content_type, "boundary")
    if not boundary:
        raise Refused("The form has no boundary in its content type.", status=400)
    mark = b"\r\n--" + boundary.encode(errors="replace")
    pieces = (b"\r\n" + body).split(mark, MOST_PARTS + 2)
    if len(pieces) - 2 > MOST_PARTS:
        raise Refused(f"The form has more than {MOST_PARTS} parts.", status=400)
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        raise Refused("The form is cut off, or has no parts.", status=400)
    return [_part(piece) for piece in pieces[1:-1]]


def _part(piece: bytes) -> Part:
    head, separator, data = piece.partition(b"\r\n\r\n")
    if not separator:
        raise Refused("A part of the form has no end of its headers.", status=400)
    for line in head.decode(errors="replace").split("\r\n"):
        key, _, value = line.partition(":")
        if key.strip().lower() == "content-disposition":
            name = _parameter("content-disposition", value.strip(), "name") or ""
            return Part(name, _parameter("content-disposition", value.strip(), "filename"), data)
    raise Refused("A part of the form has no name.", status=400)


def _parameter(header: str, value: str, name: str) -> str | None:
    if len(value) > _LONGEST_HEADER:
        raise Refused(f"A header of the form is longer than {_LONGEST_HEADER} characters.", status=400)
    message = Message()
    message[header] = value.replace("\n", " ").replace("\r", " ")
    found = message.get_param(name, header=header)
    return found[2] if isinstance(found, tuple) else found
