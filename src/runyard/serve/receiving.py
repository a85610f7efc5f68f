"""Reading the bodies of requests: none that is too large or too slow, and not more at once than there is memory for."""

import asyncio

from fastapi import Request

from runyard.serve.refusals import Refused

PATIENCE_S = 60.0  # for the whole body of a request
DRAINED = 10  # times the limit are read and thrown away, since most clients send all before they listen
TOGETHER = 16  # bodies of the largest size may be on their way; with more of them a few clients could fill the memory


class Receiver:
    """Reads bodies of at most `largest_bytes` each; it belongs to one event loop."""

    def __init__(self, largest_bytes: int) -> None:
        self._largest_bytes = largest_bytes
        self._room_bytes = largest_bytes * TOGETHER

    async def body(self, request: Request) -> bytes:
        """The whole body.

        Raises:
            Refused: it is too large (413) or too slow (408), or too much is arriving already (503).
        """
        received = bytearray()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._read(request, received)
            return bytes(received)
        except TimeoutError:
            raise Refused(f"The request did not arrive within {PATIENCE_S:g} s.", status=408) from None
        finally:
            self._room_bytes += len(received)

    async def _read(self, request: Request, received: bytearray) -> None:
        announced = request.headers.get("content-length", "0")
        is_too_large = announced.isdigit() and int(announced) > self._largest_bytes
        if is_too_large and request.headers.get("expect"):
            raise self._too_large()  # this client asks before it sends
        size = 0
        async for piece in request.stream():
            size += len(piece)
            if size > self._largest_bytes * DRAINED:
                raise self._too_large()
            if size > self._largest_bytes or is_too_large:
                self._room_bytes += len(received)
                received.clear()
            elif len(piece) > self._room_bytes:
                raise Refused("Too much is arriving at once. Try again in a second.", status=503, retry_after_s=1)
            else:
                received += piece
                self._room_bytes -= len(piece)
        if size > self._largest_bytes:
            raise self._too_large()

    def _too_large(self) -> Refused:
        largest = f"{self._largest_bytes / (1 << 20):g} MB"
        return Refused(f"The request is larger than {largest}, which is the most that is taken.", status=413)
