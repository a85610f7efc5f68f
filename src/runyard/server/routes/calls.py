"""Calls by name: what a client on another machine asks of the home, one address for each method."""

import time
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from runyard.client.remote.calls import CALLS, MOST_ROWS, Call
from runyard.client.remote.transport import MSGPACK
from runyard.client.remote.wire import encode
from runyard.errors import UsageError
from runyard.server.asking import Now
from runyard.server.bodies import inflated

router = APIRouter(tags=["calls"])

_BINARY = {"type": "string", "format": "binary"}
_REF = "#/components/schemas/{name}"
_Endpoint = Callable[..., Coroutine[Any, Any, Response]]


def _endpoint(call: Call) -> _Endpoint:
    async def endpoint(request: Request, client: Now) -> Response:
        arguments = _arguments(call, await inflated(request), request.headers.get("content-type", ""))
        request.state.subject = _subject(arguments)
        result = await run_in_threadpool(call.run, client, arguments, now=time.time())
        return Response(await run_in_threadpool(encode, result), media_type=MSGPACK)

    endpoint.__doc__ = call.does
    return endpoint


def _subject(arguments: msgspec.Struct) -> str:
    """What a call is about, for the audit trail: a project, or a slot of a machine."""
    return ", ".join(str(getattr(arguments, name)) for name in ("project", "host", "slot") if hasattr(arguments, name))


def _arguments(call: Call, body: bytes, content_type: str) -> msgspec.Struct:
    decode = msgspec.msgpack.decode if content_type.startswith(MSGPACK) else msgspec.json.decode
    try:
        arguments = decode(body, type=call.takes)
    except msgspec.MsgspecError as problem:
        raise UsageError(f"The arguments of {call.name} cannot be understood: {problem}.") from None
    limit = getattr(arguments, "limit", 1)
    if limit is None or not 0 <= limit <= MOST_ROWS:
        raise UsageError(f"{call.name} gives at most {MOST_ROWS:,} rows at a time; ask for page after page.")
    return arguments


def components() -> dict[str, Any]:
    """The schemas of all arguments, for the OpenAPI document."""
    takes = [call.takes for call in CALLS.values()]
    return dict(msgspec.json.schema_components(takes, ref_template=_REF)[1])


for _each in CALLS.values():
    router.add_api_route(
        f"/calls/{_each.name}",
        _endpoint(_each),
        methods=["POST"],
        name=_each.name,
        response_class=Response,
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": {"$ref": _REF.format(name=_each.takes.__name__)}}},
            },
        },
        responses={200: {"description": "The result, as MessagePack.", "content": {MSGPACK: {"schema": _BINARY}}}},
    )
