"""Output: what a run printed, as it comes."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from runyard.errors import NotFound
from runyard.journal import HOST
from runyard.server import models, printed
from runyard.server.answers import answer
from runyard.server.asking import LARGEST_INTEGER, Home

router = APIRouter(tags=["runs"])

_Attempt = Annotated[int | None, Query(ge=1, le=LARGEST_INTEGER, description="The latest if absent.")]
_Offset = Annotated[
    int,
    Query(
        ge=-LARGEST_INTEGER,
        le=LARGEST_INTEGER,
        description="`next_offset` of the answer before; 0: from the beginning; negative: the last so many bytes.",
    ),
]
_Limit = Annotated[int, Query(ge=1, le=4 << 20, description="About so many bytes.")]


@router.get("/runs/{run_id}/output", response_model=models.Output)
def output(
    client: Home, run_id: str, attempt: _Attempt = None, offset: _Offset = 0, limit: _Limit = 1 << 18
) -> Response:
    """A piece of what an attempt printed. `is_ended`: nothing more will come; ask again with `next_offset` else."""
    row = client.index.get(run_id)
    number = attempt or max(row.attempt, 1)
    if attempt is not None and attempt > max(row.attempt, 1):
        raise NotFound(f"Run {run_id} has had {row.attempt} attempts; there is no attempt {attempt}.")
    journal = client.folder(run_id).attempt(number).journal(HOST)
    found = printed.read(journal, offset=offset, limit=limit)
    is_past = number < row.attempt or row.state.is_ended
    return answer(
        {
            "attempt": number,
            "text": found.text,
            "next_offset": found.next_offset,
            "is_ended": found.is_last and (found.is_over or is_past),
            "dropped_bytes": found.dropped_bytes,
        }
    )
