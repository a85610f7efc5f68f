"""Bodies of requests: read whole before anything is done with them, and of a sane size.

They are awaited in the event loop, so that one who sends a byte a second keeps no thread from others.
"""

import asyncio
import zlib

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runyard.errors import UsageError
from runyard.server.guard import READS
from runyard.server.permissions import LARGEST_BODY_BYTES
from runyard.server.refusing import refuse

PATIENCE_S = 60.0  # for the whole of it; a line of 1 MBit/s takes 35


class Bodies:
    """Reads bodies, as large as the permission table lets them be."""

    def __init__(self, app: ASGIApp, *, patience_s: float = PATIENCE_S) -> None:
        self._app = app
        self._patience_s = patience_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in READS or scope["state"].get("is_streamed"):
            await self._app(scope, receive, send)
            return
        largest = scope["state"].get("largest_bytes", LARGEST_BODY_BYTES)
        try:
            async with asyncio.timeout(self._patience_s):
                body = await _whole(Headers(scope=scope), receive, largest)
        except TimeoutError:
            close = ("connection", "close")
            await refuse(scope, send, 408, f"The body did not arrive within {self._patience_s:g} s. Try again.", close)
            return
        if body is None:
            await refuse(scope, send, 413, f"The body is larger than {largest >> 20} MiB. Ask in several pieces.")
            return
        await self._app(scope, _replay(body, receive), send)


async def inflated(request: Request, *, largest_bytes: int = LARGEST_BODY_BYTES) -> bytes:
    """The body of a request that may have come as deflate.

    Raises:
        UsageError: it is damaged, larger than `largest_bytes`, or compressed in another way.
    """
    body = await request.body()
    encoding = request.headers.get("content-encoding", "identity")
    if encoding == "identity":
        return body
    if encoding != "deflate":
        raise UsageError(f"A body comes as deflate or as it is, not as '{encoding[:40]}'.")
    unpacker = zlib.decompressobj()
    try:
        whole = unpacker.decompress(body, largest_bytes)
    except zlib.error:
        raise UsageError("The body is no valid deflate.") from None
    if not unpacker.eof:
        raise UsageError(f"The body is cut off, or larger than {largest_bytes >> 20} MiB.")
    return whole


async def _whole(headers: Headers, receive: Receive, largest: int) -> bytes | None:
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
