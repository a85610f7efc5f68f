"""Sessions of browsers: they end when nobody comes for days, after a month in any case, and with a logout."""

from collections.abc import Callable

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from runyard.accounts.secrets import digest, new_key
from runyard.accounts.users import User, Users
from runyard.database import Database
from runyard.database.schema import sessions
from runyard.errors import LoginNeeded

IDLE_S = 4 * 86_400.0  # a long weekend
LONGEST_S = 30 * 86_400.0
_SEEN_S = 300.0


class Sessions:
    """Begins, checks and ends sessions."""

    def __init__(self, database: Database, clock: Callable[[], float], users: Users) -> None:
        self._database = database
        self._clock = clock
        self._users = users

    def begin(self, user: str, *, connection: Connection) -> str:
        """Begin a session; return its key, which is kept nowhere else."""
        now, key = self._clock(), new_key()
        connection.execute(delete(sessions).where(_is_over(now)))
        connection.execute(insert(sessions).values(sha256=digest(key), user=user, created_at=now, seen_at=now))
        self._users.note_seen(connection, user)
        return key

    def check(self, key: str) -> User:
        """Whose session it is.

        Raises:
            LoginNeeded: it has ended, or its user is shut out.
        """
        return self.check_again(digest(key))

    def check_again(self, sha256: str) -> User:
        """What `check` says, given the hash of a session's key."""
        now = self._clock()
        with self._database.read() as tx:
            found = select(sessions).where(sessions.c.sha256 == sha256, ~_is_over(now))
            row = tx.execute(found).one_or_none()
            if row is None:
                raise LoginNeeded("You are not logged in, or the login has expired. Log in again.")
            user = self._users.get(row.user, connection=tx)
        if user.is_disabled:
            raise LoginNeeded(f"The account '{user.name}' is disabled. Ask an admin of the server.")
        if row.seen_at < now - _SEEN_S:
            with self._database.transaction() as tx:
                tx.execute(update(sessions).where(sessions.c.sha256 == sha256).values(seen_at=now))
                self._users.note_seen(tx, user.name)
        return user

    def end(self, sha256: str) -> None:
        """End a session, given the hash of its key."""
        with self._database.transaction(durable=True) as tx:
            tx.execute(delete(sessions).where(sessions.c.sha256 == sha256))


def _is_over(now: float) -> ColumnElement[bool]:
    return (sessions.c.seen_at <= now - IDLE_S) | (sessions.c.created_at <= now - LONGEST_S)
