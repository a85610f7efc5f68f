"""Pages of lists: a token says where the next one begins, and belongs to the question it was given for."""

import base64
import hashlib
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from runyard.server.mlflow.errors import MlflowError

T = TypeVar("T")


def page(items: Sequence[T], *, limit: int | None, token: str | None, question: Any) -> tuple[Sequence[T], str | None]:
    """The items of one page, and the token of the next; None if this is the last.

    Raises:
        MlflowError: the token is none, or belongs to another question.
    """
    mark = _mark(question)
    start = _start(token, mark) if token else 0
    if limit is None:
        return items[start:], None
    after = start + limit
    return items[start:after], _token(after, mark) if after < len(items) else None


def check_limit(limit: int | None, *, default: int, most: int) -> int:
    """How many a client may ask for at once.

    Raises:
        MlflowError: fewer than 1, or more than `most`.
    """
    if limit is None:
        return default
    if not 1 <= limit <= most:
        raise MlflowError(
            f"Invalid value {limit} for parameter 'max_results' supplied: It must be positive, and at most {most}."
        )
    return limit


def _mark(question: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(question)).hexdigest()[:16]


def _token(offset: int, mark: str) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode({"offset": offset, "of": mark})).decode()


def _start(token: str, mark: str) -> int:
    try:
        found = msgspec.json.decode(base64.urlsafe_b64decode(token.encode()), type=dict[str, int | str])
        offset = found["offset"]
    except (ValueError, KeyError):  # msgspec's errors and base64's among them
        raise MlflowError("The page token is none that was given here.") from None
    if found.get("of") != mark or not isinstance(offset, int) or offset < 0:
        raise MlflowError("The page token belongs to another query.")
    return offset
