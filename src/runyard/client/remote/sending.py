"""Sending the rest of a journal that nobody writes any more, or that only grows."""

from collections.abc import Callable, Sequence

from runyard.index.folders import read_pieces
from runyard.journal import Attempt
from runyard.journal.pieces import Piece, Receipt

Deliver = Callable[[Sequence[Piece]], list[Receipt]]


def send(deliver: Deliver, attempt: Attempt, stream: str, offset: int) -> Receipt:
    """Deliver a journal from `offset` on, up to its end or to what is refused; return the last receipt.

    A torn tail stays where it is.
    """
    last = Receipt(offset)

    def take(offset: int, data: bytes) -> int:
        nonlocal last
        if not last.problem:
            (last,) = deliver([Piece(attempt.run.id, attempt.number, stream, offset, data)])
        return last.offset

    read_pieces(attempt.journal(stream), offset, take)
    return last
