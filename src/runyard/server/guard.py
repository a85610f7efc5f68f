"""Who may ask, and what a browser may do with the answer.

The server listens on loopback, but any page in the browser of the same person can send requests there. Three
checks keep such pages out: the name in `Host` must be that of this machine (a foreign name that resolves to
127.0.0.1 is an attack called DNS rebinding), whatever changes something must carry a header that no page of another
origin can send without being asked first, and `Origin` must be ours where a browser sends it.
"""

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

import msgspec
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

WRITE_HEADER = "X-Runyard"
LARGEST_BODY_BYTES = 4 << 20  # a list of 100,000 ids fits
LARGEST_DELIVERY_BYTES = 80 << 20  # the largest record of a journal, with company
LARGEST_PART_BYTES = 8 << 20  # of a file

_ROOMY = (
    (re.compile(r"/api/v1/deliveries"), LARGEST_DELIVERY_BYTES),
    (re.compile(r"/api/v1/artifacts/[0-9a-f]{64}/parts"), LARGEST_PART_BYTES),
)

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_READS = frozenset({"GET", "HEAD"})
_DEFAULT_PORT = 80

_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' blob: data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
SANDBOX = "default-src 'none'; sandbox"  # for what a run has stored: nothing in it is executed or loads anything


def content_policy(script_hashes: Iterable[str] = ()) -> str:
    """The content security policy; `script_hashes` allow inline scripts, such as an import map, by their SHA-256."""
    allowed = " ".join([_POLICY["script-src"], *(f"'sha256-{digest}'" for digest in script_hashes)])
    return "; ".join(f"{name} {value}" for name, value in (_POLICY | {"script-src": allowed}).items())


_HEADERS = {
    "Content-Security-Policy": content_policy(),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Refuses what does not come from a page of ours, and adds the headers that keep our pages strict."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        headers = Headers(scope=scope)
        refusal = _refusal(scope, headers)
        if refusal is None and scope["method"] not in _READS:
            largest = next((size for path, size in _ROOMY if path.fullmatch(scope["path"])), LARGEST_BODY_BYTES)
            body = await _whole_body(headers, receive, largest)
            if body is None:
                refusal = 413, f"The body is larger than {largest >> 20} MiB. Ask in several pieces."
            else:
                receive = _replay(body, receive)
        if refusal is not None:
            await _refuse(send_guarded, *refusal)
            return
        await self._app(scope, receive, send_guarded)


def _refusal(scope: Scope, headers: Headers) -> tuple[int, str] | None:
    """Status and sentence, or None if all is well."""
    server = scope.get("server")
    port = server[1] if server else None
    host = headers.getlist("host")
    if len(host) != 1 or not _is_ours(host[0], port):
        return 421, (
            f"This server answers to localhost and 127.0.0.1 with port {port}, not to the name in your request. "
            f"Open http://127.0.0.1:{port}/ instead; a tunnel must use the same port number at both ends."
        )
    if scope["method"] in _READS:
        return None
    if headers.get(WRITE_HEADER) != "1":
        return 403, f"Whatever changes something needs the header '{WRITE_HEADER}: 1'."
    origins = headers.getlist("origin")
    if any(not _is_our_origin(origin, port) for origin in origins):
        return 403, "A page of another origin may not change anything here."
    return None


def _is_ours(host: str, port: int | None) -> bool:
    name, colon, number = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    if not colon:
        name, number = host, str(_DEFAULT_PORT)
    return name.lower() in _LOCAL_NAMES and number == str(port)


def _is_our_origin(origin: str, port: int | None) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    is_bare = not (parts.path or parts.query or parts.fragment or parts.username)
    return parts.scheme == "http" and is_bare and _is_ours(parts.netloc, port)


async def _whole_body(headers: Headers, receive: Receive, largest: int) -> bytes | None:
    """The body; None if it is too large, which is noticed before it is read where its length is told."""
    told = headers.get("content-length", "")
    if told.isdigit() and (len(told) > 12 or int(told) > largest):
        return None
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > largest:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    is_sent = False

    async def replayed() -> Message:
        nonlocal is_sent
        if is_sent:
            return await receive()  # the end of the connection
        is_sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


async def _refuse(send: Send, status: int, sentence: str) -> None:
    body = msgspec.json.encode({"error": sentence})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
