"""Files on their way into the store: by content, in parts that may be sent again."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from runyard.server import models
from runyard.server.answers import answer
from runyard.server.asking import Now

router = APIRouter(tags=["machines"])

LARGEST_FILE_BYTES = 1 << 40
_Size = Annotated[int, Query(ge=0, le=LARGEST_FILE_BYTES)]


@router.put(
    "/artifacts/{sha256}/parts",
    response_model=models.Uploaded,
    openapi_extra={
        "requestBody": {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
    },
)
async def upload(request: Request, client: Now, sha256: str, offset: _Size, size: _Size) -> Response:
    """A part of a file of `size` bytes, from byte `offset` on. With the last one it is checked and stored.

    A part that does not begin where the last one ended is passed over; the answer says where to go on.
    """
    body = await request.body()
    found = await run_in_threadpool(client.artifacts.upload, sha256, offset, size, body)
    request.app.state.meter.note_delivered(len(body))
    return answer(found._asdict())
