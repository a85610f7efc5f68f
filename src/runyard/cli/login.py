"""`runyard login`, `logout`, `whoami`: this machine and the team's server."""

import getpass
import sys
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import typer

from runyard import servers
from runyard.cli import documents, screen
from runyard.client import joining
from runyard.errors import LoginNeeded, RunyardError, UsageError
from runyard.hosts import host_name, user_name
from runyard.servers import Server

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def login(url: str, *, is_token_given: bool, ca_file: Path | None) -> None:
    """Get a token for this machine, and remember the server for all later commands."""
    server = Server(servers.normal(url), ca_file=str(ca_file.absolute()) if ca_file else None)
    session = joining.look(server)
    if session.has_accounts:
        server = _with_token(server) if is_token_given else _with_password(server)
        session = joining.look(server)
        if session.user is None:
            raise LoginNeeded(f"{server.url} does not take this token: it is unknown, expired or revoked.")
    servers.remember(server)
    screen.say(f"{server.url} knows this machine as {session.user}, {session.role}.")
    screen.remark(
        "Every command means this server now. RUNYARD_URL=local means this machine; `runyard logout` forgets it."
    )


def logout() -> None:
    """Give the token back, and forget the server."""
    server = _current("There is nothing to log out from: no server is known here.")
    try:
        is_revoked = joining.leave(server)
    except RunyardError as problem:
        is_revoked = False
        screen.remark(f"The token could not be revoked: {problem}")
    known = servers.forget(server.url)
    screen.say(f"{server.url} is forgotten{' and the token is revoked' if is_revoked else ''}.")
    if not known:
        screen.remark(f"{servers.URL} names it still; unset it.")


def whoami(*, as_json: bool) -> None:
    """For whom the server takes this machine."""
    server = servers.current()
    if server is None:
        if as_json:
            documents.write({"server": None, "user": user_name(), "role": None, "projects": None})
            return
        screen.say(f"{user_name()}, on this machine. No server is meant; `runyard login` names one.")
        return
    session = joining.look(server)
    if as_json:
        facts = {"user": session.user, "role": session.role, "projects": session.projects}
        documents.write({"server": server.url} | facts)
        return
    if session.user is None:
        raise LoginNeeded(f"{server.url} does not know this machine (any more). Run: runyard login {server.url}")
    within = f", in the projects {', '.join(session.projects)}" if session.projects is not None else ""
    screen.say(f"{session.user}, {session.role}{within}, at {server.url}")


def _with_token(server: Server) -> Server:
    """The token is never an argument: those are seen by all users of the machine, and stay in the shell's history."""
    token = getpass.getpass("Token: ") if sys.stdin.isatty() else sys.stdin.readline()
    if not token.strip():
        raise UsageError("No token was given. It begins with ry_, and an admin or the dashboard makes it.")
    return msgspec.structs.replace(server, token=token.strip())


def _with_password(server: Server) -> Server:
    if not sys.stdin.isatty():
        raise UsageError("Nobody is there to be asked for a password. Use --token, with the token on standard input.")
    parts = urlsplit(server.url)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        screen.remark(f"Careful: {server.url} is not encrypted, so whoever listens on the way sees your password.")
    name = typer.prompt("Name", default=user_name(), err=True)
    password = getpass.getpass("Password: ")
    return joining.join(server, name=name, password=password, label=f"{user_name()} on {host_name()}")


def _current(otherwise: str) -> Server:
    server = servers.current()
    if server is None:
        raise UsageError(otherwise)
    return server
