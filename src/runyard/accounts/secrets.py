"""Keys that nobody can guess, and the hashes that are kept of them.

A key has 256 random bits, so a plain SHA-256 of it tells nothing; passwords have not, see `passwords.py`.
"""

import hashlib
import secrets

TOKEN_PREFIX = "ry_"  # lets scanners of repositories find a token that was committed
_BYTES = 32


def new_key(prefix: str = "") -> str:
    """A random key, letters, digits, - and _."""
    return prefix + secrets.token_urlsafe(_BYTES)


def digest(key: str) -> str:
    """What is kept of a key: 64 hex digits."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
