"""What accounts may do: three roles, each of which may do all that the one before may; and who asks."""

from dataclasses import dataclass
from enum import StrEnum

from runyard.errors import UsageError


class Role(StrEnum):
    """A role, the least one first."""

    VIEWER = "viewer"  # sees
    MEMBER = "member"  # submits, works, changes runs
    ADMIN = "admin"  # sees all projects, manages accounts, deletes for good

    def covers(self, needed: "Role") -> bool:
        """Whether this role may do what `needed` may."""
        return _ORDER[self] >= _ORDER[needed]

    def at_most(self, other: "Role") -> "Role":
        """The lesser of the two."""
        return min(self, other, key=_ORDER.__getitem__)


_ORDER = {role: place for place, role in enumerate(Role)}


def role(text: str) -> Role:
    """The role of a name.

    Raises:
        UsageError: there is none of this name.
    """
    try:
        return Role(text)
    except ValueError:
        raise UsageError(f"There is no role '{text[:40]}'; choose {', '.join(Role)}.") from None


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who asks, as a token or a session proves it.

    Attributes:
        only: projects that a token is restricted to; None: all that its owner may see.
        hidden: private projects of others.
        token_id: of the token that was shown, else empty.
        session: hash of the session's key, else empty.
    """

    name: str
    role: Role
    only: frozenset[str] | None = None
    hidden: frozenset[str] = frozenset()
    token_id: str = ""
    session: str = ""
