"""Files on their way into the store: by content, only what is missing, in parts that may be sent again."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from runyard.server import models
from runyard.server.answers import answer
from runyard.server.asking import Body, Now

router = APIRouter(tags=["machines"])

LARGEST_FILE_BYTES = 1 << 40
_Sha = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Size = Annotated[int, Query(ge=0, le=LARGEST_FILE_BYTES)]


class Contents(Body):
    """Contents by their SHA-256."""

    sha256: Annotated[list[_Sha], Field(max_length=1000)]


@router.post("/artifacts/missing", response_model=models.Missing)
def missing(client: Now, asked: Contents) -> Response:
    """Those of the contents that are not here."""
    return answer({"missing": [sha256 for sha256 in asked.sha256 if not client.artifacts.has(sha256)]})


@router.get("/artifacts/{sha256}/parts", response_model=models.Uploaded)
def uploaded(client: Now, sha256: str) -> Response:
    """How much of a file has arrived."""
    return answer(client.artifacts.uploaded(sha256)._asdict())


@router.put(
    "/artifacts/{sha256}/parts",
    response_model=models.Uploaded,
    openapi_extra={
        "requestBody": {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
    },
)
async def upload(request: Request, client: Now, sha256: str, offset: _Size, size: _Size) -> Response:
    """A part of a file of `size` bytes, from byte `offset` on. With the last one it is checked and stored."""
    body = await request.body()
    found = await run_in_threadpool(client.artifacts.upload, sha256, offset, size, body)
    return answer(found._asdict())
