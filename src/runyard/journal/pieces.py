"""What travels between a supervisor and whoever keeps the runs: pieces of journals, and how far they arrived."""

import re

import msgspec

_STREAM = re.compile(r"[a-z]+[0-9]*(-[0-9]+)?")
_LONGEST_STREAM = 60
MAX_ATTEMPT = 1_000_000


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """Bytes of the journal of one stream, from `offset` on."""

    run_id: str
    attempt: int
    stream: str
    offset: int
    data: bytes


class Receipt(msgspec.Struct, frozen=True, array_like=True):
    """What became of a piece: up to which byte the stream is kept and understood.

    Attributes:
        offset: the next piece begins here, whatever the last one was.
        problem: why the piece, or what follows `offset`, will never be taken; empty if all is well.
        kind: the name of the error.
        edits_bytes: how long the run's edits are, so that whoever executes it sees that somebody wrote there.
    """

    offset: int
    problem: str = ""
    kind: str = ""
    edits_bytes: int = 0


def is_stream(name: str) -> bool:
    """Whether a name is one that a journal of an attempt may have."""
    return len(name) <= _LONGEST_STREAM and _STREAM.fullmatch(name) is not None
