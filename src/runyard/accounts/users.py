"""Users: a name, a role, a password. They are disabled, never deleted, since the audit trail names them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from runyard.accounts.auditing import Audit
from runyard.accounts.roles import Role
from runyard.database import Database
from runyard.database.schema import sessions, users
from runyard.errors import ConflictError, NotFound, UsageError

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
_TAKEN = frozenset({"runyard"})  # signs what happens by itself
_SEEN_S = 300.0  # how exactly it is known when somebody was here


@dataclass(frozen=True, kw_only=True)
class User:
    """An account. `has_password` is false until its invitation was used."""

    name: str
    role: Role
    is_disabled: bool
    has_password: bool
    created_at: datetime
    seen_at: datetime | None


class Users:
    """Makes, changes and lists users."""

    def __init__(self, database: Database, clock: Callable[[], float], audit: Audit) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit

    def list(self) -> list[User]:
        """All users, by name."""
        with self._database.read() as tx:
            return [_user(row) for row in tx.execute(select(users).order_by(users.c.name))]

    def get(self, name: str, *, connection: Connection | None = None) -> User:
        """A user.

        Raises:
            NotFound: there is none of this name.
        """
        if not _NAME.fullmatch(name):
            raise _missing(name)
        found = select(users).where(users.c.name == name)
        if connection is not None:
            row = connection.execute(found).one_or_none()
        else:
            with self._database.read() as tx:
                row = tx.execute(found).one_or_none()
        if row is None:
            raise _missing(name)
        return _user(row)

    def add(self, name: str, role: Role, *, by: str, connection: Connection | None = None) -> User:
        """Make an account without a password; a link lets its owner choose one.

        Raises:
            UsageError: the name cannot be one.
            ConflictError: it is taken.
        """
        name = checked_name(name)
        if connection is None:
            with self._database.transaction(durable=True) as tx:
                return self.add(name, role, by=by, connection=tx)
        row = {"name": name, "role": str(role), "is_disabled": False, "created_at": self._clock()}
        try:
            connection.execute(insert(users), row)
        except IntegrityError:
            raise ConflictError(f"There is an account '{name}' already.") from None
        self._audit.write(by, "user.add", name, detail=str(role), connection=connection)
        return self.get(name, connection=connection)

    def set_role(self, name: str, role: Role, *, by: str) -> User:
        """Give a user another role.

        Raises:
            NotFound: there is no such user.
            ConflictError: it is the last admin.
        """
        with self._database.transaction(durable=True) as tx:
            user = self.get(name, connection=tx)
            if role is not Role.ADMIN:
                _require_another_admin(tx, user)
            tx.execute(update(users).where(users.c.name == name).values(role=str(role)))
            self._audit.write(by, "user.role", name, detail=f"{user.role} to {role}", connection=tx)
            return self.get(name, connection=tx)

    def disable(self, name: str, *, by: str) -> User:
        """Shut a user out: sessions end, tokens are refused.

        Raises:
            NotFound: there is no such user.
            ConflictError: it is the last admin.
        """
        with self._database.transaction(durable=True) as tx:
            _require_another_admin(tx, self.get(name, connection=tx))
            tx.execute(update(users).where(users.c.name == name).values(is_disabled=True))
            tx.execute(delete(sessions).where(sessions.c.user == name))
            self._audit.write(by, "user.disable", name, connection=tx)
            return self.get(name, connection=tx)

    def enable(self, name: str, *, by: str) -> User:
        """Let a user in again, with the password and the tokens of before.

        Raises:
            NotFound: there is no such user.
        """
        with self._database.transaction(durable=True) as tx:
            self.get(name, connection=tx)
            tx.execute(update(users).where(users.c.name == name).values(is_disabled=False))
            self._audit.write(by, "user.enable", name, connection=tx)
            return self.get(name, connection=tx)

    def password_hash(self, name: str) -> str | None:
        """What is kept of a user's password, if there is any."""
        with self._database.read() as tx:
            return tx.scalar(select(users.c.password_hash).where(users.c.name == name))

    def set_password(self, name: str, password_hash: str, *, by: str, connection: Connection) -> None:
        """Replace the password; all sessions end, tokens stay."""
        connection.execute(update(users).where(users.c.name == name).values(password_hash=password_hash))
        connection.execute(delete(sessions).where(sessions.c.user == name))
        self._audit.write(by, "user.password", name, connection=connection)

    def note_seen(self, tx: Connection, name: str) -> None:
        """Remember that the user was here."""
        now = self._clock()
        is_old = users.c.seen_at.is_(None) | (users.c.seen_at < now - _SEEN_S)
        tx.execute(update(users).where(users.c.name == name, is_old).values(seen_at=now))

    def has_admin(self) -> bool:
        """Whether anybody can manage the accounts."""
        with self._database.read() as tx:
            return tx.scalar(_admins().limit(1)) is not None


def checked_name(name: str) -> str:
    """A name in the form in which names are compared.

    Raises:
        UsageError: it cannot be one.
    """
    found = name.strip().lower()
    if not _NAME.fullmatch(found) or found in _TAKEN:
        raise UsageError(
            f"'{name[:64]}' cannot be the name of an account: it takes 1 to 64 letters (a-z), digits and . _ @ -, "
            "beginning with a letter or digit."
        )
    return found


def _missing(name: str) -> NotFound:
    return NotFound(f"There is no account '{name[:64]}'. `runyard server user list` lists them.")


def _admins() -> Any:  # SQLAlchemy's type for a statement of one column
    is_able = (users.c.is_disabled.is_(False), users.c.password_hash.is_not(None))
    return select(users.c.name).where(users.c.role == str(Role.ADMIN), *is_able)


def _require_another_admin(tx: Connection, user: User) -> None:
    able = set(tx.scalars(_admins().with_for_update()))
    if able == {user.name}:
        raise ConflictError(f"'{user.name}' is the last admin. Make somebody else admin first.")


def _user(row: Any) -> User:  # a row of the table
    return User(
        name=row.name,
        role=Role(row.role),
        is_disabled=bool(row.is_disabled),
        has_password=row.password_hash is not None,
        created_at=datetime.fromtimestamp(row.created_at, UTC),
        seen_at=None if row.seen_at is None else datetime.fromtimestamp(row.seen_at, UTC),
    )
