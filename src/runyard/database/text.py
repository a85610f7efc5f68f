"""Text as both databases hold it, compare it and sort it.

SQLite holds any text, of any length, and compares it byte by byte. PostgreSQL compares as its locale says unless told
otherwise, cannot hold the character NUL, and refuses an entry of more than some 2,700 bytes in an index. So there
columns compare in the collation "C", and NUL is written as two other characters that sort in its place. In both, what
is indexed is cut where it is longer than any sensible name. This happens on the way in and out, and to values that a
statement compares with.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from sqlalchemy import Dialect, String
from sqlalchemy.types import TypeDecorator, TypeEngine

_LONGEST_BYTES = 2000  # of a key
_SHORT = _LONGEST_BYTES // 4  # characters that are never longer than that, whichever they are
_KEPT = 400  # characters in front of the digest
# \0 and \1 each become a pair; what sorts between them and their neighbours is the same before and after
_NUL, _ONE = "\1\ufffe", "\1\uffff"

Process = Callable[[Any], Any]


class Words(TypeDecorator[str]):
    """Text of any length."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        collation = "C" if dialect.name == "postgresql" else None
        return dialect.type_descriptor(String(collation=collation))

    def bind_processor(self, dialect: Dialect) -> Process | None:
        return _escaped if dialect.name == "postgresql" else None

    def result_processor(self, dialect: Dialect, coltype: object) -> Process | None:
        return _read if dialect.name == "postgresql" else None


class Key(Words):
    """Text that is in an index, or compared with such: a digest stands for the end of one that is very long."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Process | None:
        return _escaped_and_cut if dialect.name == "postgresql" else _cut


def _escaped_and_cut(text: str | None) -> str | None:
    return _escaped(_cut(text))


def _escaped(text: str | None) -> str | None:
    if text is None or ("\0" not in text and "\1" not in text):
        return text
    return text.replace("\1", _ONE).replace("\0", _NUL)


def _cut(text: str | None) -> str | None:
    if text is None or len(text) <= _SHORT:
        return text
    data = text.encode()
    if len(data) + 3 * (data.count(0) + data.count(1)) <= _LONGEST_BYTES:
        return text
    return text[:_KEPT] + sha256(data).hexdigest()


def _read(text: str | None) -> str | None:
    if text is None or "\1" not in text:
        return text
    return text.replace(_NUL, "\0").replace(_ONE, "\1")
