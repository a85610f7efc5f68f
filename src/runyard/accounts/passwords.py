"""Passwords: argon2id, at most two at a time, since each takes 64 MiB for a moment.

argon2-cffi is an optional package and loaded here alone: machines that only work for a server need none of it.
"""

import threading
from functools import lru_cache
from typing import TYPE_CHECKING

from runyard.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST = 10
LONGEST = 1000

_room = threading.BoundedSemaphore(2)


_is_weak = False  # else what argon2-cffi takes for right: three passes over 64 MiB, four lanes


def weaken() -> None:
    """Let hashes of this process protect nothing and cost nothing: for tests, which hash hundreds of passwords.

    No option, file or variable leads here.
    """
    global _is_weak
    _is_weak = True
    _hasher.cache_clear()
    _nobodys.cache_clear()


def require() -> None:
    """Make sure that passwords can be checked.

    Raises:
        MissingExtra: argon2-cffi is not installed.
    """
    _hasher()


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
        return _hasher().hash(password)


def is_right(password: str, kept: str | None) -> bool:
    """Whether a password is the one; takes as long where there is none, so that nobody learns which names exist."""
    from argon2.exceptions import InvalidHashError, VerificationError

    with _room:
        try:
            return _hasher().verify(kept or _nobodys(), password[: LONGEST + 1]) and kept is not None
        except (VerificationError, InvalidHashError):
            return False


def is_outdated(kept: str) -> bool:
    """Whether the hash was made with less work than is asked for today."""
    return _hasher().check_needs_rehash(kept)


@lru_cache(maxsize=1)
def _hasher() -> "PasswordHasher":
    try:
        from argon2 import PasswordHasher
    except ImportError:
        raise MissingExtra(extra="server", purpose="A server with accounts") from None
    return PasswordHasher(time_cost=1, memory_cost=64, parallelism=1) if _is_weak else PasswordHasher()


@lru_cache(maxsize=1)
def _nobodys() -> str:
    return _hasher().hash("nobody has this password")
