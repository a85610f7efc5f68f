"""What runs have stored: images and tables beside their metrics, and files by content.

All of it comes from training code, or from a run that somebody imported. So the browser is told to show it in a
sandbox, under a type of a short list, and files only as downloads.
"""

from typing import Annotated
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Path, Query
from sqlalchemy import select
from starlette.responses import FileResponse, Response, StreamingResponse

from runyard.client.gallery import PICTURES, PLAYED
from runyard.client.runs import read_media
from runyard.database.schema import media as media_table
from runyard.errors import NotFound
from runyard.index import MediaRow
from runyard.index.rows import from_ns
from runyard.records import RunId
from runyard.server import models
from runyard.server.answers import JSON, answer
from runyard.server.asking import LARGEST_INTEGER, Home, RunIds, batches, run_ids
from runyard.server.guard import SANDBOX
from runyard.server.routes.details import artifact_documents

router = APIRouter(tags=["files"])

_SHOWN = {*PICTURES, *PLAYED, JSON, "text/plain"}
_UNKNOWN = "application/octet-stream"
_FOR_GOOD = "private, max-age=31536000, immutable"  # what lies at an offset of a journal never changes
_LONGEST_META = 4000
_Number = Annotated[int, Path(ge=0, le=LARGEST_INTEGER)]


@router.get("/media", response_model=models.MediaList)
def media(client: Home, runs: RunIds) -> Response:
    """The images, tables and figures of these runs, by key and step."""
    columns = [media_table.c[name] for name in ("run_id", "key", "step", "kind", "mime", "attempt", "stream", "offset")]
    order = (media_table.c.key, media_table.c.step, media_table.c.attempt, media_table.c.offset)
    found = []
    with client.database.read() as tx:
        for ids in batches(client.index.visible(run_ids(runs))):
            for row in tx.execute(select(*columns).where(media_table.c.run_id.in_(ids)).order_by(*order)).mappings():
                found.append({"run": row["run_id"]} | {column.name: row[column.name] for column in columns[1:]})
    return answer({"media": found})


@router.get(
    "/runs/{run_id}/media/{attempt}/{stream}/{offset}",
    response_class=Response,
    responses={200: {"description": "The bytes. `X-Runyard-Meta` holds what was logged beside them, as JSON."}},
)
def medium(client: Home, run_id: str, attempt: _Number, stream: str, offset: _Number) -> Response:
    """An image, a sound, a film, or the JSON of a table, a histogram or a matrix."""
    client.index.require(run_id)
    table = media_table
    place = (table.c.run_id == run_id, table.c.attempt == attempt, table.c.stream == stream, table.c.offset == offset)
    with client.database.read() as tx:
        row = tx.execute(select(table).where(*place)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"Run '{run_id[:40]}' has no media at this place.")
    found = read_media(client, _media_row(dict(row)))
    mime = found.mime if found.mime in _SHOWN else _UNKNOWN
    headers = {"Content-Security-Policy": SANDBOX, "Cache-Control": _FOR_GOOD}
    meta = msgspec.json.encode(found.meta)
    if len(meta) <= _LONGEST_META:
        headers["X-Runyard-Meta"] = quote(meta, safe='{}[]":,.-_ ')
    return Response(found.data, media_type=mime, headers=headers)


@router.get("/runs/{run_id}/artifacts", response_model=models.Artifacts)
def artifacts(client: Home, run_id: str) -> Response:
    """The stored files of a run, by name."""
    client.index.get(run_id)
    with client.database.read() as tx:
        return answer({"artifacts": artifact_documents(tx, run_id)})


@router.get(
    "/artifacts/{sha256}",
    response_class=FileResponse,
    responses={200: {"description": "The content, as a download."}},
)
def artifact(
    client: Home, sha256: str, name: Annotated[str, Query(max_length=2000, description="Name of the download.")] = ""
) -> Response:
    """A file by its content."""
    if not client.artifacts.has(sha256) or not client.index.may_read(sha256):
        raise NotFound(f"The content {sha256[:12]}… is not in this home.")
    shown = "".join(c for c in name.replace("\\", "/").rpartition("/")[2] if c.isprintable()).strip(". ") or sha256[:12]
    headers = {
        "Content-Security-Policy": SANDBOX,
        "Cache-Control": _FOR_GOOD,
        "Content-Disposition": f"attachment; filename*=utf-8''{quote(shown[:200].encode('utf-8', 'replace'), safe='')}",
    }
    if client.artifacts.is_elsewhere(sha256):  # it is on its way to the reader before all of it is here
        size, pieces = client.artifacts.stream(sha256)
        return StreamingResponse(pieces, media_type=_UNKNOWN, headers=headers | {"Content-Length": str(size)})
    return FileResponse(client.artifacts.path(sha256), media_type=_UNKNOWN, headers=headers)


def _media_row(row: dict[str, object]) -> MediaRow:
    fields = {name: row[name] for name in ("attempt", "stream", "offset", "size", "key", "step", "kind", "mime")}
    return msgspec.convert(
        fields | {"run_id": RunId(str(row["run_id"])), "at": from_ns(int(str(row["time_ns"])))}, MediaRow
    )
