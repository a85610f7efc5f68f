"""The one route of the dialect: reads a request as its row of the table says, and tells errors as clients know them."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from runyard.accounts import Caller
from runyard.artifacts.store import Draft
from runyard.errors import RunyardError
from runyard.index import Scope
from runyard.server.mlflow import files
from runyard.server.mlflow.asked import Asked, Dialect
from runyard.server.mlflow.errors import BAD_REQUEST, NO_ENDPOINT, MlflowError, told
from runyard.server.mlflow.forms import parsed, queried, read
from runyard.server.mlflow.table import LARGEST_BATCH_BYTES, Endpoint, find

PATIENCE_S = 60.0  # for the next piece of a file
_PIECE_BYTES = 1 << 20
_DRAINED_BYTES = 64 << 20
_JSON = "application/json"
_ADDRESS = re.compile(r"/mlflow/([^/]+)(/.*)", re.DOTALL)
_log = logging.getLogger(__name__)


async def gate(request: Request) -> Response:
    """Answer."""
    try:
        endpoint, project, names = _wanted(request)
        if endpoint.destination is not None:
            return await _take_file(request, endpoint, project, names)
        body = await request.body()
        return await run_in_threadpool(_answer, request, endpoint, project, names, body)
    except Exception as problem:  # whatever it is, a client must hear it in its own language
        if not isinstance(problem, MlflowError | RunyardError):
            _log.exception("a request of MLflow's dialect failed")
        status, content = told(problem)
        return Response(content, status, media_type=_JSON)


def _wanted(request: Request) -> tuple[Endpoint, str, dict[str, str]]:
    address = _ADDRESS.fullmatch(request.scope["path"])
    found = find(request.method, address[2]) if address else None
    if address is None or found is None:
        raise MlflowError(f"There is nothing at {request.scope['path'][:200]}.", NO_ENDPOINT)
    return found[0], address[1], found[1]


def _answer(request: Request, endpoint: Endpoint, project: str, names: dict[str, str], body: bytes) -> Response:
    if request.method == "GET":
        document = queried(request.scope["query_string"], endpoint.form)
    else:
        _check_type(request, body)
        if endpoint.path.endswith("runs/log-batch") and len(body) > LARGEST_BATCH_BYTES:
            raise MlflowError(
                f"Batched logging API requests must be at most {LARGEST_BATCH_BYTES} bytes, got a request of size "
                f"{len(body)}."
            )
        document = parsed(body)
    found = endpoint.answer(_asked(request, project, read(document, endpoint.form), names))
    return found if isinstance(found, Response) else Response(msgspec.json.encode(found), media_type=_JSON)


def _check_type(request: Request, body: bytes) -> None:
    """JSON alone: what a form of a page can send is never taken for a request."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _JSON and (kind or body):
        raise MlflowError(f"Bad Request. Content-Type must be {_JSON}, not '{kind[:60]}'.", BAD_REQUEST)


def _asked(request: Request, project: str, values: dict[str, Any], names: dict[str, str]) -> Asked:
    dialect: Dialect = request.app.state.mlflow
    caller: Caller | None = request.state.caller
    client = dialect.client
    if caller is not None:
        client = client.acting(caller.name, Scope(caller.only, caller.hidden))
    return Asked(dialect=dialect, client=client, project=project, values=values, names=names)


# ---- files ----


async def _take_file(request: Request, endpoint: Endpoint, project: str, names: dict[str, str]) -> Response:
    """A file goes to the disk as it comes; its size is limited by nothing but that."""
    assert endpoint.destination is not None
    try:
        values = read(queried(request.scope["query_string"], endpoint.form), endpoint.form)
        asked = await run_in_threadpool(_asked, request, project, values, names)
        place = await run_in_threadpool(endpoint.destination, asked)
        files.require_file(place)
    except Exception:
        await _drain(request)  # or the client would see a broken connection, and try again
        raise
    draft = await run_in_threadpool(asked.client.artifacts.draft)
    try:
        async for piece in _pieces(request):
            await run_in_threadpool(draft.write, piece)
        size = draft.size_bytes
        sha256 = await run_in_threadpool(draft.commit)
    finally:
        await run_in_threadpool(Draft.discard, draft)
    request.app.state.meter.note_delivered(size)
    found = await run_in_threadpool(files.stored, asked, place, sha256, size)
    return Response(msgspec.json.encode(found), media_type=_JSON)


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """The body in pieces of a megabyte.

    Raises:
        MlflowError: it did not come to its end.
    """
    buffer = bytearray()
    stream = request.stream().__aiter__()
    while True:
        try:
            async with asyncio.timeout(PATIENCE_S):
                buffer += await stream.__anext__()
        except StopAsyncIteration:
            break
        except (TimeoutError, ClientDisconnect):
            raise MlflowError("The file did not arrive whole.", BAD_REQUEST) from None
        if len(buffer) >= _PIECE_BYTES:
            yield bytes(buffer)
            buffer.clear()
    if buffer:
        yield bytes(buffer)


async def _drain(request: Request) -> None:
    size = 0
    try:
        async for piece in _pieces(request):
            size += len(piece)
            if size > _DRAINED_BYTES:
                return
    except MlflowError:
        return
