"""Joining a team's server: a token for this machine in exchange for a name and a password, and giving it back."""

import email.utils
import http.client
import ssl
import time
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from runyard.errors import LoginNeeded, NotAllowed, RunyardError, ServiceError, TooManyAttempts, UsageError
from runyard.servers import Server

_API = "/api/v1"
_SESSION = "/session"
_PATIENCE_S = 15.0
_ERRORS: dict[int, type[RunyardError]] = {401: LoginNeeded, 403: NotAllowed}


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
    content, headers = _exchange(server, "GET", "/health")
    took_s = time.time() - began
    version = _decoded(content, _Health, server).version
    try:
        told = email.utils.parsedate_to_datetime(headers.get("Date", "")).timestamp()
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
    _ask(server, "DELETE", f"/tokens/{quote(token_id, safe='')}")
    return True


def _ask(server: Server, method: str, path: str, document: Any = None) -> bytes:  # anything JSON-like
    return _exchange(server, method, _API + path, document)[0]


def _exchange(server: Server, method: str, path: str, document: Any = None) -> tuple[bytes, http.client.HTTPMessage]:
    """The answer to one request, with its headers."""
    parts = urlsplit(server.url)
    body = None if document is None else msgspec.json.encode(document)
    headers = {"X-Runyard": "1", "Content-Type": "application/json"}
    if server.token:
        headers["Authorization"] = f"Bearer {server.token}"
    connection = _connection(server, parts.hostname or "", parts.port, is_tls=parts.scheme == "https")
    try:
        connection.request(method, parts.path + path, body, headers)
        response = connection.getresponse()
        content = response.read()
    except ssl.SSLCertVerificationError as problem:
        raise ServiceError(
            f"The certificate of {server.url} is not trusted here: {problem.verify_message}. "
            "Give the one that signed it with --ca."
        ) from None
    except (OSError, http.client.HTTPException) as problem:
        why = getattr(problem, "strerror", None) or problem or type(problem).__name__
        raise ServiceError(f"{server.url} cannot be reached: {why}. Is it the right address, and is it on?") from None
    finally:
        connection.close()
    if response.status == 404 and path == _API + _SESSION:
        raise _foreign(server)
    if response.status >= 400:
        raise _error(response.status, content, response.headers.get("Retry-After", ""), server)
    return content, response.headers


def _connection(server: Server, host: str, port: int | None, *, is_tls: bool) -> http.client.HTTPConnection:
    if not is_tls:
        return http.client.HTTPConnection(host, port, timeout=_PATIENCE_S)
    try:
        context = ssl.create_default_context(cafile=server.ca_file)
    except OSError as problem:  # ssl.SSLError among them
        raise UsageError(f"The certificate {server.ca_file} cannot be used: {problem.strerror or problem}.") from None
    return http.client.HTTPSConnection(host, port, timeout=_PATIENCE_S, context=context)


def _error(status: int, content: bytes, retry_after: str, server: Server) -> RunyardError:
    try:
        sentence = str(msgspec.json.decode(content, type=dict[str, Any])["error"])
    except (msgspec.MsgspecError, KeyError):
        return _foreign(server)
    if status == 429:
        return TooManyAttempts(sentence, retry_after_s=int(retry_after) if retry_after.isdigit() else 1)
    return _ERRORS.get(status, UsageError if status < 500 else ServiceError)(sentence)


def _decoded(content: bytes, kind: type[Found], server: Server) -> Found:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError:
        raise _foreign(server) from None


def _foreign(server: Server) -> ServiceError:
    return ServiceError(f"What answers at {server.url} is no Runyard server, or one of another version.")
