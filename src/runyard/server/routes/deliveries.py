"""Journals that travel: pieces come from supervisors of other machines, copies go to whoever reads there."""

import os
import pathlib
import time
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from runyard.client import Client
from runyard.client.remote.transport import MSGPACK, REST_HEADER
from runyard.client.remote.wire import encode
from runyard.errors import NotFound, UsageError
from runyard.journal import EDITS
from runyard.journal.pieces import Piece, is_stream
from runyard.server.asking import LARGEST_INTEGER, Now, client_now
from runyard.server.bodies import inflated
from runyard.server.permissions import LARGEST_DELIVERY_BYTES
from runyard.server.receiving import Intake

router = APIRouter(tags=["machines"])

_MOST_PIECES = 200
_LARGEST_ANSWER_BYTES = 64 << 20
_decode = msgspec.msgpack.Decoder(list[Piece]).decode
_BINARY = {"type": "string", "format": "binary"}
_Number = Annotated[int, Path(ge=0, le=LARGEST_INTEGER)]


@router.post(
    "/deliveries",
    response_class=Response,
    openapi_extra={"requestBody": {"required": True, "content": {MSGPACK: {"schema": _BINARY}}}},
    responses={
        200: {
            "description": "MessagePack: one [offset, problem, kind, edits_bytes] for each piece, in their order.",
            "content": {MSGPACK: {"schema": _BINARY}},
        }
    },
)
async def deliver(request: Request) -> Response:
    """Pieces of journals, as MessagePack: a list of [run, attempt, stream, offset, bytes]. May be sent as deflate.

    What a receipt says is kept is on the disk. The next piece of a stream begins at the offset of the last receipt.
    The header `X-Runyard-Rest` tells after how many seconds the next delivery is welcome.
    """
    client = client_now(request)  # hundreds of times a second: asking for it as a dependency takes longer
    intake: Intake = request.app.state.intake
    began = time.monotonic()
    pieces = _pieces(await inflated(request, largest_bytes=LARGEST_DELIVERY_BYTES))
    if not client.index.scope.is_everything:
        await run_in_threadpool(_require_visible, client, pieces)
    receipts = await intake.take(pieces) if pieces else []
    size = sum(len(piece.data) for piece in pieces)
    if size:
        request.app.state.watcher.note({piece.run_id for piece in pieces})
        request.app.state.meter.note_delivered(size)
    rest_s = intake.pace.note(time.monotonic() - began)
    return Response(encode(receipts), media_type=MSGPACK, headers={REST_HEADER: f"{rest_s:.3f}"})


@router.get(
    "/runs/{run_id}/journals",
    response_class=Response,
    responses={
        200: {
            "description": "MessagePack: a list of [attempt, stream, size in bytes]; edits belong to attempt 0.",
            "content": {MSGPACK: {"schema": _BINARY}},
        }
    },
)
def journals(client: Now, run_id: str) -> Response:
    """The journals of a run."""
    client.index.get(run_id)
    folder = client.folder(run_id)
    found = [(a.number, s, os.stat(a.journal(s)).st_size) for a in folder.attempts() for s in a.streams()]
    if folder.edits.exists():
        found.append((0, EDITS, os.stat(folder.edits).st_size))
    return Response(encode(found), media_type=MSGPACK)


@router.get(
    "/runs/{run_id}/journals/{attempt}/{stream}",
    response_class=Response,
    responses={200: {"description": "The bytes.", "content": {"application/octet-stream": {"schema": _BINARY}}}},
)
def journal(
    client: Now, run_id: str, attempt: _Number, stream: str, offset: Annotated[int, Query(ge=0, le=LARGEST_INTEGER)] = 0
) -> Response:
    """A journal from a byte on, 64 MiB at most."""
    client.index.get(run_id)
    path = _path(client, run_id, attempt, stream)
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return Response(file.read(_LARGEST_ANSWER_BYTES), media_type="application/octet-stream")
    except FileNotFoundError:
        raise NotFound(f"Run {run_id} has no journal {attempt}/{stream}.") from None


def _require_visible(client: Client, pieces: list[Piece]) -> None:
    for run_id in {piece.run_id for piece in pieces}:
        if client.index.known([run_id]):  # else its receipt says that there is none
            client.index.require(run_id)


def _path(client: Client, run_id: str, attempt: int, stream: str) -> pathlib.Path:
    if not is_stream(stream) or (stream == EDITS) != (attempt == 0):
        raise NotFound(f"'{stream[:60]}' is no stream of attempt {attempt}.")
    return client.index.journal_path(run_id, attempt, stream)


def _pieces(body: bytes) -> list[Piece]:
    try:
        pieces = _decode(body)
    except msgspec.MsgspecError as problem:
        raise UsageError(f"This is no delivery: {problem}.") from None
    if len(pieces) > _MOST_PIECES:
        raise UsageError(f"A delivery has at most {_MOST_PIECES} pieces, not {len(pieces):,}.")
    places = {(piece.run_id, piece.attempt, piece.stream) for piece in pieces}
    if len(places) < len(pieces):
        raise UsageError("A delivery holds at most one piece of each stream.")
    return pieces
