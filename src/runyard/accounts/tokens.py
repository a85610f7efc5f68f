"""Tokens: what a machine shows instead of a name and a password."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, insert, select, update

from runyard.accounts.auditing import Audit
from runyard.accounts.roles import Role
from runyard.accounts.secrets import TOKEN_PREFIX, digest, new_key
from runyard.accounts.users import Users
from runyard.database import Database
from runyard.database.schema import tokens
from runyard.errors import LoginNeeded, NotAllowed, NotFound, UsageError
from runyard.records import new_run_id

_USED_S = 60.0  # how exactly it is known when a token was last used: a write for each request would cost more
_LONGEST_LABEL = 200
_MOST_PROJECTS = 200
_LONGEST_S = 100 * 365 * 86_400.0
_AGAIN = "`runyard login` gets a new one."


@dataclass(frozen=True, kw_only=True)
class Token:
    """What is known of a token; never the token itself."""

    id: str
    user: str
    label: str
    role: Role
    projects: tuple[str, ...] | None
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    revoked_at: datetime | None


class Tokens:
    """Makes, checks and revokes tokens."""

    def __init__(self, database: Database, clock: Callable[[], float], audit: Audit, users: Users) -> None:
        self._database = database
        self._clock = clock
        self._audit = audit
        self._users = users

    def make(
        self,
        user: str,
        *,
        label: str,
        by: str,
        role: Role | None = None,
        projects: Sequence[str] | None = None,
        valid_s: float | None = None,
    ) -> tuple[Token, str]:
        """Make a token; what it returns last is shown now and never again.

        Args:
            role: at most the owner's, which it is if absent.
            projects: restrict it to these.
            valid_s: how long it is good, in seconds; for ever if absent.

        Raises:
            NotFound: there is no such user.
            NotAllowed: the role is higher than the owner's.
            UsageError: label, projects or time cannot be.
        """
        label = label.strip()
        if not 1 <= len(label) <= _LONGEST_LABEL or not label.isprintable():
            raise UsageError(f"A token needs a label of 1 to {_LONGEST_LABEL} characters, such as the machine's name.")
        if projects is not None and not 1 <= len(projects) <= _MOST_PROJECTS:
            raise UsageError(f"A token is restricted to 1 to {_MOST_PROJECTS} projects, not {len(projects)}.")
        if valid_s is not None and not 0 < valid_s <= _LONGEST_S:
            raise UsageError("A token is good for more than 0 days and at most 100 years.")
        token, now = new_key(TOKEN_PREFIX), self._clock()
        with self._database.transaction(durable=True) as tx:
            owner = self._users.get(user, connection=tx)
            if role is not None and not owner.role.covers(role):
                raise NotAllowed(f"A token of '{user}' is at most {owner.role}, as its owner is; not {role}.")
            row = {
                "id": str(new_run_id()),
                "sha256": digest(token),
                "user": user,
                "label": label,
                "role": str(role or owner.role),
                "projects": None if projects is None else msgspec.json.encode(sorted(set(projects))).decode(),
                "created_at": now,
                "expires_at": None if valid_s is None else now + valid_s,
            }
            tx.execute(insert(tokens), row)
            self._audit.write(
                by, "token.make", f"{row['id']} of {user}", detail=f"{label} ({row['role']})", connection=tx
            )
            return self._get(tx, str(row["id"])), token

    def list(self, user: str | None = None) -> list[Token]:
        """All tokens, or those of a user, the newest first."""
        found = select(tokens).order_by(tokens.c.created_at.desc(), tokens.c.id)
        with self._database.read() as tx:
            return [_token(row) for row in tx.execute(found if user is None else found.where(tokens.c.user == user))]

    def get(self, token_id: str) -> Token:
        """A token by its id.

        Raises:
            NotFound: there is none.
        """
        with self._database.read() as tx:
            return self._get(tx, token_id)

    def revoke(self, token_id: str, *, by: str) -> Token:
        """Refuse a token from now on.

        Raises:
            NotFound: there is none with this id.
        """
        with self._database.transaction(durable=True) as tx:
            token = self._get(tx, token_id)
            if token.revoked_at is None:
                tx.execute(update(tokens).where(tokens.c.id == token_id).values(revoked_at=self._clock()))
                self._audit.write(by, "token.revoke", f"{token_id} of {token.user}", detail=token.label, connection=tx)
            return self._get(tx, token_id)

    def check(self, token: str) -> Token:
        """The token that a machine showed, with a role that is at most its owner's of today.

        Raises:
            LoginNeeded: it is unknown, expired or revoked, or its owner is shut out.
        """
        return self._checked(tokens.c.sha256 == digest(token))

    def check_again(self, token_id: str) -> Token:
        """What `check` says today of a token that was shown before, given its id."""
        return self._checked(tokens.c.id == token_id)

    def _checked(self, condition: ColumnElement[bool]) -> Token:
        with self._database.read() as tx:
            row = tx.execute(select(tokens).where(condition)).one_or_none()
            if row is None:
                raise LoginNeeded(f"This server does not know the token. {_AGAIN}")
            owner = self._users.get(row.user, connection=tx)
        now, found = self._clock(), _token(row)
        if found.revoked_at is not None:
            raise LoginNeeded(f"The token '{found.label}' was revoked on {found.revoked_at:%Y-%m-%d}. {_AGAIN}")
        if row.expires_at is not None and row.expires_at <= now:
            raise LoginNeeded(f"The token '{found.label}' expired on {found.expires_at:%Y-%m-%d}. {_AGAIN}")
        if owner.is_disabled:
            raise LoginNeeded(f"The account '{owner.name}' is disabled. Ask an admin of the server.")
        if row.used_at is None or row.used_at < now - _USED_S:
            with self._database.transaction() as tx:
                tx.execute(update(tokens).where(tokens.c.id == row.id).values(used_at=now))
                self._users.note_seen(tx, owner.name)
        return replace(found, role=found.role.at_most(owner.role))

    def _get(self, tx: Connection, token_id: str) -> Token:
        known = select(tokens).where(tokens.c.id == token_id)
        row = tx.execute(known).one_or_none() if token_id.isascii() and token_id.isalnum() else None
        if row is None:
            raise NotFound(f"There is no token '{token_id[:40]}'. `runyard server token list` lists them.")
        return _token(row)


def _token(row: Any) -> Token:  # a row of the table
    return Token(
        id=row.id,
        user=row.user,
        label=row.label,
        role=Role(row.role),
        projects=None if row.projects is None else tuple(msgspec.json.decode(row.projects, type=list[str])),
        created_at=datetime.fromtimestamp(row.created_at, UTC),
        expires_at=_moment(row.expires_at),
        used_at=_moment(row.used_at),
        revoked_at=_moment(row.revoked_at),
    )


def _moment(at: float | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at, UTC)
