"""All about accounts in one place: logging in, links, and who it is that asks."""

import time
from collections.abc import Callable

from sqlalchemy import select, update

from runyard.accounts import passwords
from runyard.accounts.attempts import Attempts
from runyard.accounts.auditing import Audit
from runyard.accounts.links import Kind, Link, Links
from runyard.accounts.membership import Membership
from runyard.accounts.roles import Caller, Role
from runyard.accounts.secrets import digest
from runyard.accounts.sessions import Sessions
from runyard.accounts.tokens import Token, Tokens
from runyard.accounts.users import User, Users, checked_name
from runyard.database import Database, upsert
from runyard.database.schema import ACCOUNTS_TABLES, ACCOUNTS_VERSION, meta, users
from runyard.errors import LoginNeeded, UsageError

_ADDRESS = "server_address"
_WRONG = "Name or password is wrong."


class Accounts:
    """The accounts of one server. Threads and processes may share one database.

    Args:
        clock: the time in Unix seconds.

    Raises:
        FormatUnknown: another version of Runyard made the tables.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        database.keep("accounts_version", ACCOUNTS_VERSION, ACCOUNTS_TABLES)
        self._database = database
        self.clock = clock
        self.audit = Audit(database, clock)
        self.users = Users(database, clock, self.audit)
        self.tokens = Tokens(database, clock, self.audit, self.users)
        self.sessions = Sessions(database, clock, self.users)
        self.links = Links(database, clock)
        self.projects = Membership(database, clock, self.audit, self.users)
        self.attempts = Attempts(database, clock)

    # ---- where the server is ----

    def note_address(self, url: str) -> None:
        """Remember under which address people reach the server, for links that are made on the command line."""
        with self._database.transaction() as tx:
            upsert(tx, meta, [{"key": _ADDRESS, "value": url}])

    def address(self) -> str | None:
        """What `note_address` was told last."""
        with self._database.read() as tx:
            return tx.scalar(select(meta.c.value).where(meta.c.key == _ADDRESS))

    # ---- who asks ----

    def of_token(self, token: str) -> Caller:
        """Whose token it is.

        Raises:
            LoginNeeded: it is unknown, expired or revoked, or its owner is shut out.
        """
        return self._with_token(self.tokens.check(token))

    def _with_token(self, found: Token) -> Caller:
        only = None if found.projects is None else frozenset(found.projects)
        return Caller(
            name=found.user, role=found.role, only=only, hidden=self._hidden(found.user, found.role), token_id=found.id
        )

    def of_session(self, key: str) -> Caller:
        """Whose session it is.

        Raises:
            LoginNeeded: it has ended, or its user is shut out.
        """
        return self._with_session(self.sessions.check(key), digest(key))

    def again(self, caller: Caller) -> Caller:
        """The caller of before as they are today. Raises as `of_token` and `of_session` do."""
        if caller.session:
            return self._with_session(self.sessions.check_again(caller.session), caller.session)
        return self._with_token(self.tokens.check_again(caller.token_id))

    def _with_session(self, user: User, sha256: str) -> Caller:
        return Caller(name=user.name, role=user.role, hidden=self._hidden(user.name, user.role), session=sha256)

    def _hidden(self, name: str, role: Role) -> frozenset[str]:
        return frozenset() if role is Role.ADMIN else self.projects.hidden_from(name)

    # ---- logging in ----

    def authenticate(self, name: str, password: str, *, address: str) -> User:
        """The user of a name and a password.

        Args:
            address: where the request comes from; attempts are counted by it, too.

        Raises:
            LoginNeeded: one of them is wrong, or the account is disabled.
            TooManyAttempts: it went wrong too often.
        """
        try:
            known = checked_name(name)
        except UsageError:
            known = None
        self.attempts.charge(name=known, address=address)
        kept = self.users.password_hash(known) if known else None
        if not passwords.is_right(password, kept) or known is None or kept is None:
            self.audit.write(known or "?", "login.refused", address)
            raise LoginNeeded(_WRONG)
        user = self.users.get(known)
        if user.is_disabled:
            raise LoginNeeded(f"The account '{user.name}' is disabled. Ask an admin of the server.")
        self.attempts.forgive(known)
        if passwords.is_outdated(kept):
            self._renew(user.name, password)
        return user

    def login(self, name: str, password: str, *, address: str) -> tuple[User, str]:
        """Begin a session; return its user and its key. Raises as `authenticate` does."""
        user = self.authenticate(name, password, address=address)
        with self._database.transaction(durable=True) as tx:
            key = self.sessions.begin(user.name, connection=tx)
            self.audit.write(user.name, "login", address, connection=tx)
        return user, key

    def logout(self, caller: Caller) -> None:
        """End the caller's session."""
        self.sessions.end(caller.session)
        self.audit.write(caller.name, "logout")

    def change_password(self, name: str, old: str, new: str, *, address: str) -> str:
        """Give oneself another password; all sessions end, and the key of a new one is returned.

        Raises:
            LoginNeeded: the old one is wrong.
            TooManyAttempts: it was wrong too often.
            UsageError: the new one cannot be one.
        """
        self.authenticate(name, old, address=address)
        hashed = passwords.hashed(new, name=name)
        with self._database.transaction(durable=True) as tx:
            self.users.set_password(name, hashed, by=name, connection=tx)
            return self.sessions.begin(name, connection=tx)

    # ---- links ----

    def first_link(self) -> str | None:
        """The key of a link that makes the first admin; None if there is an admin. An older one ends."""
        if self.users.has_admin():
            return None
        with self._database.transaction(durable=True) as tx:
            key = self.links.make(Kind.FIRST, None, connection=tx)
            self.audit.write("runyard", "link.first", connection=tx)
        return key

    def invite(self, name: str, role: Role, *, by: str) -> tuple[User, str]:
        """Make an account, and the key of a link by which its owner chooses a password.

        Raises:
            UsageError: the name cannot be one.
            ConflictError: it is taken.
        """
        with self._database.transaction(durable=True) as tx:
            user = self.users.add(name, role, by=by, connection=tx)
            return user, self.links.make(Kind.INVITATION, user.name, connection=tx)

    def reset(self, name: str, *, by: str) -> str:
        """The key of a link by which a user chooses a new password. The old one is good until then.

        Raises:
            NotFound: there is no such user.
        """
        with self._database.transaction(durable=True) as tx:
            user = self.users.get(name, connection=tx)
            kind = Kind.RESET if user.has_password else Kind.INVITATION
            self.audit.write(by, "user.reset", name, connection=tx)
            return self.links.make(kind, user.name, connection=tx)

    def look_at_link(self, key: str, *, address: str) -> Link:
        """What a link is for.

        Raises:
            LoginNeeded: it is not good, or not any more.
            TooManyAttempts: too many links were tried from this address.
        """
        try:
            return self.links.look(key)
        except LoginNeeded:
            self.attempts.charge(name=None, address=address)
            raise

    def follow_link(self, key: str, password: str, *, name: str | None, address: str) -> tuple[User, str]:
        """Choose a password, and begin a session; return its user and its key.

        Args:
            name: of the first admin; the others have theirs already.

        Raises:
            LoginNeeded: the link is not good, or not any more.
            UsageError: name or password cannot be one.
            ConflictError: the name is taken.
        """
        link = self.look_at_link(key, address=address)
        chosen = link.user or checked_name(name or "")
        hashed = passwords.hashed(password, name=chosen)
        with self._database.transaction(durable=True) as tx:
            self.links.spend(key, connection=tx)
            if link.user is None:
                self.users.add(chosen, Role.ADMIN, by=chosen, connection=tx)
            if self.users.get(chosen, connection=tx).is_disabled:
                raise LoginNeeded(f"The account '{chosen}' is disabled. Ask an admin of the server.")
            self.users.set_password(chosen, hashed, by=chosen, connection=tx)
            self.audit.write(chosen, "login", address, detail=f"by {link.kind} link", connection=tx)
            return self.users.get(chosen, connection=tx), self.sessions.begin(chosen, connection=tx)

    def _renew(self, name: str, password: str) -> None:
        """Hash a password anew, with the work of today; whoever is logged in stays so."""
        hashed = passwords.hashed(password)
        with self._database.transaction(durable=True) as tx:
            tx.execute(update(users).where(users.c.name == name).values(password_hash=hashed))
