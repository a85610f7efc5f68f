"""Text as both databases can hold it, compare it and sort it.

SQLite holds any text, of any length, and compares it byte by byte. PostgreSQL compares as its locale says unless told
otherwise, cannot hold the character NUL, and refuses an index entry of more than some 2,700 bytes. So there columns
compare in the collation "C", NUL is written as two other characters that sort in its place, and what is indexed is cut
when it is very long. All of it happens on the way in and out; values that a statement compares with go the same way.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from sqlalchemy import Dialect, String
from sqlalchemy.types import TypeDecorator, TypeEngine

_LONGEST_BYTES = 1000  # of a key: two of them fit into one entry of an index
_DIGEST = 64  # characters
# \0 and \1 each become a pair; what sorts between them and their neighbours is the same before and after
_NUL, _ONE = "\1\ufffe", "\1\uffff"

Process = Callable[[Any], Any]


class Words(TypeDecorator[str]):
    """Text of any length."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(String(collation="C"))
        return dialect.type_descriptor(String())

    def bind_processor(self, dialect: Dialect) -> Process | None:
        return self._written if dialect.name == "postgresql" else None

    def result_processor(self, dialect: Dialect, coltype: object) -> Process | None:
        return _read if dialect.name == "postgresql" else None

    @staticmethod
    def _written(text: str | None) -> str | None:
        if text is None or ("\0" not in text and "\1" not in text):
            return text
        return text.replace("\1", _ONE).replace("\0", _NUL)


class Key(Words):
    """Text in an index. On PostgreSQL a long one ends in a digest of the whole instead of its end."""

    cache_ok = True

    @staticmethod
    def _written(text: str | None) -> str | None:
        text = Words._written(text)
        if text is None or len(text) <= _LONGEST_BYTES // 4:
            return text
        data = text.encode()
        if len(data) <= _LONGEST_BYTES:
            return text
        return data[: _LONGEST_BYTES - _DIGEST].decode(errors="ignore") + sha256(data).hexdigest()


def _read(text: str | None) -> str | None:
    if text is None or "\1" not in text:
        return text
    return text.replace(_NUL, "\0").replace(_ONE, "\1")
