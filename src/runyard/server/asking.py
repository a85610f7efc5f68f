"""What the routes have in common: the home that is asked, and the forms that parameters take.

Every number is bounded, since neither the database nor arrays know numbers of any length.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated

from fastapi import Depends, Query, Request
from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from runyard.accounts import Accounts, Caller
from runyard.client import Client
from runyard.errors import NotFound, UsageError
from runyard.index import Scope
from runyard.server.machines import Machines
from runyard.server.remembering import Memory
from runyard.server.watching import Watcher

MOST_RUNS = 1000  # ids in one question
LARGEST_INTEGER = 2**53  # what a browser's numbers hold
_LONGEST_QUERY = 10_000
_AT_ONCE = 500


class Body(BaseModel):
    """What a request carries; a name that is not known is refused, since it is a slip of the pen."""

    model_config = ConfigDict(extra="forbid", strict=True)


async def _watcher(request: Request) -> Watcher:
    watcher: Watcher = request.app.state.watcher
    return watcher


async def _client(request: Request) -> Client:
    """The home in the caller's hands, with an index that is true as of a moment ago."""
    watcher: Watcher = request.app.state.watcher
    if watcher.is_stale:
        await run_in_threadpool(watcher.look)
    return client_now(request)


async def _client_now(request: Request) -> Client:
    return client_now(request)


def client_now(request: Request) -> Client:
    """The home as it is: other machines ask many times a second, and what they deliver is in the index at once."""
    client: Client = request.app.state.client
    caller: Caller | None = request.state.caller
    return client if caller is None else client.acting(caller.name, Scope(caller.only, caller.hidden))


async def _machines(request: Request) -> Machines:
    machines: Machines = request.app.state.machines
    return machines


async def _memory(request: Request) -> Memory:
    memory: Memory = request.app.state.memory
    caller: Caller | None = request.state.caller
    return memory if caller is None else memory.of(Scope(caller.only, caller.hidden))


async def _accounts(request: Request) -> Accounts:
    accounts: Accounts | None = request.app.state.accounts
    if accounts is None:
        raise NotFound("This is the dashboard of one machine; it has no accounts. `runyard server` has.")
    return accounts


async def _caller(request: Request) -> Caller | None:
    caller: Caller | None = request.state.caller
    return caller


Home = Annotated[Client, Depends(_client)]
Now = Annotated[Client, Depends(_client_now)]
Watched = Annotated[Watcher, Depends(_watcher)]
Remembered = Annotated[Memory, Depends(_memory)]
HasAccounts = Annotated[Accounts, Depends(_accounts)]
MaybeCaller = Annotated[Caller | None, Depends(_caller)]
Slots = Annotated[Machines, Depends(_machines)]
Project = Annotated[str | None, Query(max_length=200, description="Only runs of this project.")]
QueryText = Annotated[
    str | None, Query(max_length=2 * _LONGEST_QUERY, description="A query, see docs/query-language.md.")
]
Sort = Annotated[str, Query(max_length=2000, description="A field; `-` in front sorts downwards.")]
Offset = Annotated[int, Query(ge=0, le=LARGEST_INTEGER)]
Limit = Annotated[int, Query(ge=1, le=500)]
RunIds = Annotated[str, Query(max_length=100_000, description="Ids, with commas.")]
Keys = Annotated[str | None, Query(max_length=200_000, description="Only these keys, with commas. All if absent.")]


def listed(text: str | None) -> list[str] | None:
    """What was given with commas; None if nothing was said. A key with a comma in it is written with `\\,`."""
    if text is None:
        return None
    parts = text.replace("\\,", "\0").split(",")
    return list(dict.fromkeys(part.replace("\0", ",") for part in parts if part))


def run_ids(text: str) -> list[str]:
    """The ids of a parameter.

    Raises:
        UsageError: none, or too many.
    """
    ids = listed(text) or []
    if not 1 <= len(ids) <= MOST_RUNS:
        raise UsageError(f"{len(ids):,} runs were named; one question takes 1 to {MOST_RUNS:,}.")
    return ids


def batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many ids as one statement takes."""
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))
