"""Bodies of requests: read whole before anything is done with them, and of a sane size.

They are awaited in the event loop, so that one who sends a byte a second keeps no thread from others.
"""

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runyard.server.guard import READS, refuse

LARGEST_BODY_BYTES = 4 << 20  # a list of 100,000 ids fits
PATIENCE_S = 60.0  # for the whole of it; a line of 1 MBit/s takes 35


class Bodies:
    """Reads bodies, but those that the permission table calls streamed."""

    def __init__(self, app: ASGIApp, *, patience_s: float = PATIENCE_S) -> None:
        self._app = app
        self._patience_s = patience_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in READS or scope["state"].get("is_streamed"):
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._patience_s):
                body = await _whole(Headers(scope=scope), receive)
        except TimeoutError:
            close = ("connection", "close")
            await refuse(send, 408, f"The body did not arrive within {self._patience_s:g} s. Try again.", close)
            return
        if body is None:
            await refuse(send, 413, f"The body is larger than {LARGEST_BODY_BYTES >> 20} MiB. Ask in several pieces.")
            return
        await self._app(scope, _replay(body, receive), send)


async def _whole(headers: Headers, receive: Receive) -> bytes | None:
    """The body; None if it is too large, which is noticed before it is read where its length is told."""
    told = headers.get("content-length", "")
    if told.isdigit() and (len(told) > 12 or int(told) > LARGEST_BODY_BYTES):
        return None
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY_BYTES:
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
