"""`runyard server user|token|project`: managing accounts on the server's own machine, by whoever may read its home."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime

from runyard.accounts import Accounts
from runyard.accounts.roles import role as role_of
from runyard.accounts.tokens import Token
from runyard.cli import documents, screen, tables
from runyard.cli.server import DEFAULT_PORT, home_of, link_of
from runyard.client import open_client
from runyard.errors import UsageError
from runyard.hosts import host_name, user_name

_DAY_S = 86_400.0


@contextmanager
def opened(home: str | None, database: str | None) -> Iterator[Accounts]:
    """The accounts of the server of this machine; a server that runs sees every change within a second."""
    with closing(open_client(home_of(home), database=database)) as client:
        yield Accounts(client.database)


def add_user(accounts: Accounts, name: str, role: str) -> None:
    """Make an account, and print the link by which its owner chooses a password."""
    user, key = accounts.invite(name, role_of(role), by=_by())
    screen.say(f"'{user.name}' is {user.role}. This link is good for seven days, once; send it to {user.name}:")
    screen.say(f"  {link_of(_address(accounts), key)}")


def list_users(accounts: Accounts, *, as_json: bool) -> None:
    """All accounts."""
    users = accounts.users.list()
    if as_json:
        names = ("name", "role", "is_disabled", "has_password", "created_at", "seen_at")
        documents.write({"users": [{name: getattr(user, name) for name in names} for user in users]})
        return
    if not users:
        screen.remark("There are no accounts yet. `runyard server` prints a link for the first one when it starts.")
        return
    rows = [
        (u.name, u.role, "disabled" if u.is_disabled else "" if u.has_password else "invited", _day(u.seen_at))
        for u in users
    ]
    _show(("name", "role", "", "last seen"), rows)


def set_role(accounts: Accounts, name: str, role: str) -> None:
    """Give an account another role."""
    user = accounts.users.set_role(name, role_of(role), by=_by())
    screen.say(f"'{user.name}' is {user.role} now.")


def disable(accounts: Accounts, name: str) -> None:
    """Shut an account out."""
    user = accounts.users.disable(name, by=_by())
    screen.say(f"'{user.name}' is shut out: sessions have ended, tokens are refused.")


def enable(accounts: Accounts, name: str) -> None:
    """Let an account in again."""
    user = accounts.users.enable(name, by=_by())
    screen.say(f"'{user.name}' may log in again.")


def reset(accounts: Accounts, name: str) -> None:
    """Print a link by which somebody chooses a new password."""
    key = accounts.reset(name, by=_by())
    screen.say(f"By this link {name} chooses a new password, once:")
    screen.say(f"  {link_of(_address(accounts), key)}")


def add_token(
    accounts: Accounts, user: str, *, label: str, role: str | None, projects: list[str] | None, days: float | None
) -> None:
    """Make a token, and print it: the only time."""
    _, secret = accounts.tokens.make(
        user,
        label=label,
        by=_by(),
        role=role_of(role) if role else None,
        projects=projects or None,
        valid_s=None if days is None else days * _DAY_S,
    )
    screen.remark("This is the only time that the token is shown. Give it to the machine as RUNYARD_TOKEN:")
    screen.say(secret)


def list_tokens(accounts: Accounts, user: str | None, *, as_json: bool) -> None:
    """Tokens, never what they are."""
    if user is not None:
        accounts.users.get(user)
    tokens = accounts.tokens.list(user)
    if as_json:
        names = ("id", "user", "label", "role", "projects", "created_at", "expires_at", "used_at", "revoked_at")
        documents.write({"tokens": [{name: getattr(token, name) for name in names} for token in tokens]})
        return
    if not tokens:
        screen.remark("There are no tokens.")
        return
    rows = [
        (t.id, t.user, t.label, t.role, _projects(t), _day(t.used_at), _day(t.expires_at), _day(t.revoked_at))
        for t in tokens
    ]
    _show(("id", "user", "label", "role", "projects", "last used", "expires", "revoked"), rows)


def revoke(accounts: Accounts, token_id: str) -> None:
    """Refuse a token from now on."""
    token = accounts.tokens.revoke(token_id, by=_by())
    screen.say(f"The token '{token.label}' of {token.user} is revoked.")


def make_private(accounts: Accounts, project: str) -> None:
    """Hide a project from all but its members and admins."""
    accounts.projects.make_private(project, by=_by())
    screen.say(f"'{project}' is private: its members and admins see it. `runyard server project members` names them.")


def open_project(accounts: Accounts, project: str) -> None:
    """Let all accounts see a project."""
    accounts.projects.open(project, by=_by())
    screen.say(f"'{project}' is open to all accounts.")


def set_members(accounts: Accounts, project: str, names: list[str]) -> None:
    """Say who belongs to a private project; without names only tell."""
    if names:
        accounts.projects.set_members(project, names, by=_by())
    found = accounts.projects.by_project()
    if project not in found:
        raise UsageError(
            f"'{project}' is not private, so all accounts see it. `runyard server project private` changes it."
        )
    screen.say(", ".join(found[project]) or "Nobody but the admins.")


def _address(accounts: Accounts) -> str:
    return accounts.address() or f"http://127.0.0.1:{DEFAULT_PORT}"


def _by() -> str:
    return f"{user_name()} on {host_name()}"


def _projects(token: Token) -> str:
    return "all" if token.projects is None else ", ".join(token.projects)


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else ""


def _show(titles: tuple[str, ...], rows: Sequence[Sequence[str]]) -> None:
    tables.show([tables.Column(title, is_vital=True) for title in titles], [[*map(tables.Cell, row)] for row in rows])
