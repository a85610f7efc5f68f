"""Passwords: argon2id, at most two at a time, since each takes 64 MiB for a moment."""

import threading
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from runyard.errors import UsageError

SHORTEST = 10
LONGEST = 1000

_hasher = PasswordHasher()
_room = threading.BoundedSemaphore(2)


def hashed(password: str, *, name: str = "") -> str:
    """What is kept of a password.

    Args:
        name: of the account, which must not be its password.

    Raises:
        UsageError: it is too short, too long, or the name.
    """
    if len(password) < SHORTEST:
        raise UsageError(f"A password has at least {SHORTEST} characters; this one has {len(password)}.")
    if len(password) > LONGEST:
        raise UsageError(f"A password has at most {LONGEST:,} characters; this one has {len(password):,}.")
    if name and password.strip().lower() in (name.lower(), name.lower() * 2):
        raise UsageError("The password must not be the name of the account.")
    with _room:
        return _hasher.hash(password)


def is_right(password: str, kept: str | None) -> bool:
    """Whether a password is the one; takes as long where there is none, so that nobody learns which names exist."""
    with _room:
        try:
            return _hasher.verify(kept or _nobodys(), password[: LONGEST + 1]) and kept is not None
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(kept: str) -> bool:
    """Whether the hash was made with less work than is asked for today."""
    return _hasher.check_needs_rehash(kept)


@lru_cache(maxsize=1)
def _nobodys() -> str:
    return _hasher.hash("nobody has this password")
