"""Requests to a team's server: one connection that is kept, short patience, errors as our own.

The standard library's client is enough for this and is imported in a few milliseconds, also by supervisors.
"""

import http.client
import math
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from runyard import errors
from runyard.errors import RunyardError, ServerAway, TooManyAttempts, UsageError
from runyard.servers import Server

API = "/api/v1"
MSGPACK = "application/msgpack"
JSON = "application/json"
ERROR_HEADER = "X-Runyard-Error"  # the name of the class in runyard.errors

REST_HEADER = "X-Runyard-Rest"  # seconds until the server would like to hear the next news of a run

REST_S = 1.5  # of a server that does not say it: a person at the dashboard notices no difference
LONGEST_REST_S = 60.0
CONNECT_S = 3.0  # a supervisor asks too, and nothing may keep it from its training for long
ANSWER_S = 15.0
_COMPRESSED_FROM_BYTES = 512
_PIECE_BYTES = 1 << 20

T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """What a server said, whatever it is."""

    status: int
    headers: http.client.HTTPMessage
    content: bytes


class Transport:
    """The way to one server. Threads may share it: they take turns.

    Attributes:
        rest_s: how long the server asked us to rest between two deliveries, 0 to 60.
    """

    def __init__(self, server: Server) -> None:
        parts = urlsplit(server.url)
        self.server = server
        self._base = parts.path
        self._host, self._port = parts.hostname or "", parts.port
        self._is_tls = parts.scheme == "https"
        self._connection: http.client.HTTPConnection | None = None
        self._turn = threading.RLock()
        self.rest_s = REST_S

    def ask(self, path: str, kind: "type[T]", **params: object) -> T:
        """GET a document.

        Raises:
            ServerAway: it cannot be reached.
            RunyardError: whatever it answers.
        """
        return _decode(self.request("GET", path, params=params), kind)

    def tell(self, path: str, body: object, kind: "type[T]", *, method: str = "POST") -> T:
        """Send a document as MessagePack and read the answer. Raises as `ask` does."""
        return _decode(self.request(method, path, body=msgspec.msgpack.encode(body), content_type=MSGPACK), kind)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        content_type: str = "application/octet-stream",
        params: Mapping[str, object] | None = None,
    ) -> bytes:
        """One request and its whole answer. Raises as `ask` does."""
        pieces: list[bytes] = []
        self.stream(method, path, pieces.append, body=body, content_type=content_type, params=params)
        return b"".join(pieces)

    def stream(
        self,
        method: str,
        path: str,
        sink: Callable[[bytes], object],
        *,
        body: bytes = b"",
        content_type: str = "application/octet-stream",
        params: Mapping[str, object] | None = None,
    ) -> None:
        """One request whose answer is given to `sink` piece by piece. Raises as `ask` does."""
        headers = {"Accept": MSGPACK}
        if body:
            headers["Content-Type"] = content_type
            if len(body) >= _COMPRESSED_FROM_BYTES and content_type == MSGPACK:
                body = zlib.compress(body, 1)
                headers["Content-Encoding"] = "deflate"
        with self._turn, self._answered(method, f"{API}{path}{_query(params)}", body, headers) as response:
            if response.status >= 400:
                raise refusal(Answer(response.status, response.headers, response.read()), self.server)
            while piece := response.read(_PIECE_BYTES):
                sink(piece)
            self.rest_s = _rest_s(response.headers.get(REST_HEADER), self.rest_s)

    def exchange(self, method: str, path: str, document: object = None) -> Answer:
        """One request, its document as JSON, and the answer whatever it is; `path` is from the server's root on.

        Raises:
            ServerAway: it cannot be reached.
        """
        body = b"" if document is None else msgspec.json.encode(document)
        headers = {"Accept": JSON} | ({"Content-Type": JSON} if body else {})
        with self._turn, self._answered(method, path, body, headers) as response:
            return Answer(response.status, response.headers, response.read())

    def close(self) -> None:
        """Let go of the connection; the next request opens another."""
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def _answered(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer to a request, to be read to its end: else its rest would wait in the connection."""
        headers = headers | {"X-Runyard": "1"}
        if self.server.token:
            headers["Authorization"] = f"Bearer {self.server.token}"
        response = self._send(method, self._base + path, body, headers)
        try:
            yield response
        except (OSError, http.client.HTTPException) as problem:
            self.close()
            raise self._away(problem) from None
        except RunyardError:
            raise
        except BaseException:
            self.close()
            raise

    def _send(self, method: str, target: str, body: bytes, headers: dict[str, str]) -> http.client.HTTPResponse:
        """Send on the kept connection, or on a new one if the server closed it meanwhile.

        Whatever we ask for may be asked for twice: the server makes sure of it.
        """
        is_kept = self._connection is not None
        try:
            connection = self._connection or self._connect()
            connection.request(method, target, body or None, headers)
            return connection.getresponse()
        except (OSError, http.client.HTTPException) as problem:
            self.close()
            if is_kept and not isinstance(problem, TimeoutError):
                return self._send(method, target, body, headers)
            raise self._away(problem) from None

    def _connect(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection
        if self._is_tls:
            try:
                context = ssl.create_default_context(cafile=self.server.ca_file)
            except (OSError, ssl.SSLError) as problem:
                raise UsageError(f"The certificate {self.server.ca_file} cannot be used: {problem}.") from None
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=CONNECT_S, context=context)
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=CONNECT_S)
        connection.connect()
        connection.sock.settimeout(ANSWER_S)
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = connection
        return connection

    def _away(self, problem: Exception) -> ServerAway:
        if isinstance(problem, ssl.SSLCertVerificationError):
            return ServerAway(
                f"The certificate of {self.server.url} is not trusted here: {problem.verify_message}. "
                "Give the one that signed it: `runyard login URL --ca FILE`, or RUNYARD_CA."
            )
        why = (
            "it did not answer in time" if isinstance(problem, TimeoutError) else str(problem) or type(problem).__name__
        )
        return ServerAway(f"The server {self.server.url} cannot be reached: {why}. Is `runyard server` running there?")


def place(text: str) -> str:
    """A piece of text as one part of a path."""
    return quote(text, safe="")


def _query(params: Mapping[str, object] | None) -> str:
    given = {name: value for name, value in (params or {}).items() if value is not None}
    return f"?{urlencode(given)}" if given else ""


def _rest_s(told: str | None, known: float) -> float:
    """What a server told; `known` if it told nothing, or no number."""
    try:
        rest_s = float(told) if told else known
    except ValueError:
        return known
    return min(max(rest_s, 0.0), LONGEST_REST_S) if math.isfinite(rest_s) else known


def _decode(data: bytes, kind: "type[T]") -> T:
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except msgspec.MsgspecError as problem:
        raise ServerAway(
            f"The server's answer cannot be understood: {problem}. Do server and client have the same version?"
        ) from None


def refusal(answer: Answer, server: Server) -> RunyardError:
    """What the server refused, as the class that it named."""
    try:
        sentence = str(msgspec.json.decode(answer.content, type=dict[str, Any])["error"])
    except (msgspec.MsgspecError, KeyError):
        sentence = f"The server {server.url} answered with status {answer.status}. Is it a Runyard server?"
    kind = answer.headers.get(ERROR_HEADER, "")
    found = getattr(errors, kind, None) if kind.isidentifier() else None
    if found is TooManyAttempts:
        wait_s = answer.headers.get("Retry-After", "")
        return TooManyAttempts(sentence, retry_after_s=int(wait_s) if wait_s.isdecimal() else 1)
    if isinstance(found, type) and issubclass(found, RunyardError):
        try:
            return found(sentence)
        except TypeError:  # one that takes more than a sentence
            pass
    return ServerAway(sentence) if answer.status >= 500 else UsageError(sentence)
