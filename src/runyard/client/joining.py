"""Joining a team's server: a token for this machine in exchange for a name and a password, and giving it back."""

import email.utils
import time
from contextlib import closing
from typing import TypeVar

import msgspec

from runyard.client.remote.transport import API, Answer, Transport, place, refusal
from runyard.errors import ServiceError
from runyard.servers import Server

_SESSION = "/session"

Found = TypeVar("Found")


class Session(msgspec.Struct, frozen=True):
    """Who somebody is for a server; `user` is None if it does not know."""

    has_accounts: bool
    user: str | None
    role: str | None
    token_id: str | None
    projects: list[str] | None


class Greeting(msgspec.Struct, frozen=True):
    """What a server says of itself.

    Attributes:
        took_s: how long the answer took.
        ahead_s: how far its clock is ahead of ours, within a second; None if it does not say.
    """

    version: str
    took_s: float
    ahead_s: float | None


class _Health(msgspec.Struct):
    version: str


class _Made(msgspec.Struct):
    token: str


def look(server: Server) -> Session:
    """Who the server takes us for, with the token of `server` if there is one.

    Raises:
        ServiceError: it cannot be reached, or is no Runyard server.
    """
    return _decoded(_ask(server, "GET", _SESSION), Session, server)


def greet(server: Server) -> Greeting:
    """Whether the server answers, and what it says of itself.

    Raises:
        ServiceError: it cannot be reached, or is no Runyard server.
    """
    began = time.time()
    answer = _exchange(server, "GET", "/health")
    took_s = time.time() - began
    version = _decoded(answer.content, _Health, server).version
    try:
        told = email.utils.parsedate_to_datetime(answer.headers.get("Date", "")).timestamp()
    except ValueError:  # a proxy that says nothing, or something else
        told = None
    # the header has whole seconds, of which half a one has passed on average
    ahead_s = None if told is None else told + 0.5 - (began + took_s / 2)
    return Greeting(version=version, took_s=took_s, ahead_s=ahead_s)


def join(server: Server, *, name: str, password: str, label: str) -> Server:
    """Get a token for this machine.

    Raises:
        LoginNeeded: name or password is wrong.
        TooManyAttempts: it was wrong too often.
        ServiceError: the server cannot be reached, or is no Runyard server.
    """
    wish = {"name": name, "password": password, "label": label}
    made = _decoded(_ask(server, "POST", "/session/token", wish), _Made, server)
    return msgspec.structs.replace(server, token=made.token)


def leave(server: Server) -> bool:
    """Let the server refuse our token from now on; whether it did. Raises as `look` does."""
    token_id = look(server).token_id
    if token_id is None:
        return False
    _ask(server, "DELETE", f"/tokens/{place(token_id)}")
    return True


def _ask(server: Server, method: str, path: str, document: object = None) -> bytes:
    return _exchange(server, method, API + path, document).content


def _exchange(server: Server, method: str, path: str, document: object = None) -> Answer:
    """The answer to one request that was not refused."""
    with closing(Transport(server)) as transport:
        answer = transport.exchange(method, path, document)
    if answer.status == 404 and path == API + _SESSION:
        raise _foreign(server)
    if answer.status >= 400:
        raise refusal(answer, server)
    return answer


def _decoded(content: bytes, kind: type[Found], server: Server) -> Found:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError:
        raise _foreign(server) from None


def _foreign(server: Server) -> ServiceError:
    return ServiceError(f"What answers at {server.url} is no Runyard server, or one of another version.")
