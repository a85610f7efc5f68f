"""Live events: only what changed, so that a page asks for that alone."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from functools import partial

import msgspec
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse

from runyard.accounts import Accounts, Caller
from runyard.errors import RunyardError
from runyard.index import Index
from runyard.server.asking import Home, MaybeCaller, Watched
from runyard.server.watching import Watcher

router = APIRouter(tags=["events"])

_PAUSE_S = 0.25  # at most four events a second; what comes meanwhile goes into the next
_HEARTBEAT_S = 15.0
_CHECK_S = 10.0  # a login that has ended hears no more after so long
STREAM = "text/event-stream"
_FORM = """Server-sent events. `changed`: JSON `{"runs": [ids], "queue": bool, "machines": bool, "everything": bool}`;
`everything` means that also other runs may have changed. A comment comes every 15 seconds."""


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={200: {"description": _FORM, "content": {STREAM: {"schema": {"type": "string"}}}}},
)
async def events(request: Request, client: Home, watcher: Watched, caller: MaybeCaller) -> StreamingResponse:
    """What changes from now on. The stream ends with the login that it began with."""
    accounts: Accounts | None = request.app.state.accounts
    is_valid = partial(_is_valid, accounts, caller) if accounts is not None and caller is not None else None
    return StreamingResponse(_told(watcher, client.index, is_valid), media_type=STREAM)


async def _told(watcher: Watcher, index: Index, is_valid: Callable[[], bool] | None) -> AsyncIterator[bytes]:
    checked_at = time.monotonic()
    listener = watcher.listen()
    try:
        yield b": here\n\n"
        while not listener.is_over:
            changes = await listener.next(timeout_s=_HEARTBEAT_S)
            if is_valid is not None and time.monotonic() - checked_at > _CHECK_S:
                checked_at = time.monotonic()
                if not await run_in_threadpool(is_valid):
                    return
            if changes is not None and changes.runs and not index.scope.is_everything:
                changes.runs = set(await run_in_threadpool(index.visible, list(changes.runs)))
            if changes is None:
                yield b": still here\n\n"
                continue
            yield b"event: changed\ndata: " + msgspec.json.encode(changes.document()) + b"\n\n"
            await asyncio.sleep(_PAUSE_S)
    finally:
        watcher.leave(listener)


def _is_valid(accounts: Accounts, caller: Caller) -> bool:
    """Whether the login of a stream still stands, and lets its caller see what it saw."""
    try:
        return accounts.again(caller) == caller
    except RunyardError:
        return False
