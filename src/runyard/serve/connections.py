"""Connections that say nothing are closed: uvicorn itself would wait for ever for the head of a request.

Else whoever can reach the service could hold all the files that its process may open, by connecting and being silent.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEAD_WITHIN_S = 15.0  # from connecting, or from its first byte, to the end of a request's head
LARGEST_HEAD_BYTES = 1 << 16  # one of uvicorn's two parsers has no limit of its own


class Connection(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # whichever parser is installed
    """One connection of uvicorn, with a limit for the time and the size of each request's head."""

    head_within_s = HEAD_WITHIN_S
    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
            return
        if self.cycle is None or not self.cycle.more_body:  # else it is the rest of a body that was refused
            self._head_bytes += len(data)
        if self._head_bytes > LARGEST_HEAD_BYTES:
            self.transport.abort()
        elif self._deadline is None:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(self.head_within_s, self.transport.abort)

    def _stop_waiting(self) -> None:
        self._head_bytes = 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
