"""Live events: only what changed, so that a page asks for that alone."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
from fastapi import APIRouter
from starlette.responses import StreamingResponse

from runyard.server.asking import Watched
from runyard.server.watching import Watcher

router = APIRouter(tags=["events"])

_PAUSE_S = 0.25  # at most four events a second; what comes meanwhile goes into the next
_HEARTBEAT_S = 15.0
STREAM = "text/event-stream"
_FORM = """Server-sent events. `changed`: JSON `{"runs": [ids], "queue": bool, "machines": bool, "everything": bool}`;
`everything` means that also other runs may have changed. A comment comes every 15 seconds."""


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={200: {"description": _FORM, "content": {STREAM: {"schema": {"type": "string"}}}}},
)
async def events(watcher: Watched) -> StreamingResponse:
    """What changes from now on."""
    return StreamingResponse(_told(watcher), media_type=STREAM)


async def _told(watcher: Watcher) -> AsyncIterator[bytes]:
    listener = watcher.listen()
    try:
        yield b": here\n\n"
        while not listener.is_over:
            changes = await listener.next(timeout_s=_HEARTBEAT_S)
            if changes is None:
                yield b": still here\n\n"
                continue
            yield b"event: changed\ndata: " + msgspec.json.encode(changes.document()) + b"\n\n"
            await asyncio.sleep(_PAUSE_S)
    finally:
        watcher.leave(listener)
