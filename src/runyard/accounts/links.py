"""Links that are good once: for the first admin, for somebody who is invited, for a forgotten password."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, delete, insert, select, update

from runyard.accounts.secrets import digest, new_key
from runyard.database import Database
from runyard.database.schema import links
from runyard.errors import LoginNeeded


class Kind(StrEnum):
    """What a link is for."""

    FIRST = "first"  # makes an admin; whoever follows it chooses the name
    INVITATION = "invitation"
    RESET = "reset"


LIFETIMES_S = {Kind.FIRST: 86_400.0, Kind.INVITATION: 7 * 86_400.0, Kind.RESET: 86_400.0}


@dataclass(frozen=True)
class Link:
    """A link that is still good. `user` is None for that of the first admin."""

    kind: Kind
    user: str | None


class Links:
    """Makes and redeems links. A newer one of the same user replaces the older."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def make(self, kind: Kind, user: str | None, *, connection: Connection) -> str:
        """Make a link; return its key."""
        now, key = self._clock(), new_key()
        same = links.c.user.is_(None) if user is None else links.c.user == user
        connection.execute(delete(links).where(same | (links.c.expires_at <= now - LIFETIMES_S[Kind.INVITATION])))
        expires_at = now + LIFETIMES_S[kind]
        connection.execute(
            insert(links).values(
                sha256=digest(key), kind=str(kind), user=user, created_at=now, expires_at=expires_at, used_at=None
            )
        )
        return key

    def look(self, key: str) -> Link:
        """What a link is for.

        Raises:
            LoginNeeded: it is unknown, was used, or is too old.
        """
        with self._database.read() as tx:
            row = tx.execute(select(links).where(links.c.sha256 == digest(key))).one_or_none()
        if row is None:
            raise LoginNeeded(
                "This link is not known here, or a newer one has replaced it. Ask an admin for a new one."
            )
        if row.used_at is not None:
            raise LoginNeeded("This link was used already. Log in, or ask an admin for a new one.")
        if row.expires_at <= self._clock():
            raise LoginNeeded("This link is too old. Ask an admin for a new one.")
        return Link(Kind(row.kind), row.user)

    def spend(self, key: str, *, connection: Connection) -> None:
        """Use a link up.

        Raises:
            LoginNeeded: somebody else was faster.
        """
        ours = (links.c.sha256 == digest(key), links.c.used_at.is_(None), links.c.expires_at > self._clock())
        if not connection.execute(update(links).where(*ours).values(used_at=self._clock())).rowcount:
            raise LoginNeeded("This link was used already. Log in, or ask an admin for a new one.")
