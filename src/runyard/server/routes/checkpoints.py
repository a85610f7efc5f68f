"""Checkpoints of runs on their way between machines: by content, in parts."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from runyard.client import brought
from runyard.journal.pieces import MAX_ATTEMPT
from runyard.server import models
from runyard.server.answers import answer
from runyard.server.asking import LARGEST_INTEGER, Now
from runyard.server.routes.uploads import LARGEST_FILE_BYTES

router = APIRouter(tags=["machines"])

_PART_BYTES = 4 << 20
_Attempt = Annotated[int, Query(ge=1, le=MAX_ATTEMPT)]
_Size = Annotated[int, Query(ge=0, le=LARGEST_FILE_BYTES)]
_BINARY = {"type": "string", "format": "binary"}


@router.put(
    "/runs/{run_id}/checkpoints/{sha256}/parts",
    response_model=models.Uploaded,
    openapi_extra={"requestBody": {"content": {"application/octet-stream": {"schema": _BINARY}}}},
)
async def upload(
    request: Request, client: Now, run_id: str, sha256: str, attempt: _Attempt, offset: _Size, size: _Size
) -> Response:
    """A part of a file of an attempt's checkpoints, which has `size` bytes, from byte `offset` on.

    A part that does not begin where the last one ended is passed over; the answer says where to go on.
    """
    body = await request.body()
    client.index.require(run_id)
    found = await run_in_threadpool(
        brought.upload, client, run_id, attempt, sha256, offset=offset, size=size, part=body
    )
    request.app.state.meter.note_delivered(len(body))
    return answer(found._asdict())


@router.get(
    "/runs/{run_id}/checkpoints/{sha256}",
    response_class=Response,
    responses={
        200: {
            "description": "The size of the whole file in digits, a line feed, then 4 MiB of it at most.",
            "content": {"application/octet-stream": {"schema": _BINARY}},
        }
    },
)
def part(
    client: Now, run_id: str, sha256: str, offset: Annotated[int, Query(ge=0, le=LARGEST_INTEGER)] = 0
) -> Response:
    """A part of a file of the checkpoints that a machine brought, from a byte on."""
    client.index.require(run_id)
    kept = brought.store(client, run_id)
    with kept.open(sha256) as file:
        file.seek(offset)
        data = file.read(_PART_BYTES)
    return Response(b"%d\n%b" % (kept.size(sha256), data), media_type="application/octet-stream")
