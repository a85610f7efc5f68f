"""Bodies of requests that came compressed."""

import zlib

from fastapi import Request

from runyard.errors import UsageError
from runyard.server.guard import LARGEST_BODY_BYTES


async def body_of(request: Request, *, largest_bytes: int = LARGEST_BODY_BYTES) -> bytes:
    """The body, inflated if it is said to be a deflate; a small one never becomes larger than `largest_bytes`.

    Raises:
        UsageError: it is damaged, too large, or compressed in another way.
    """
    body = await request.body()
    encoding = request.headers.get("content-encoding", "identity")
    if encoding == "identity":
        return body
    if encoding != "deflate":
        raise UsageError(f"A body comes as deflate or as it is, not as '{encoding[:40]}'.")
    unpacker = zlib.decompressobj()
    try:
        inflated = unpacker.decompress(body, largest_bytes)
    except zlib.error:
        raise UsageError("The body is no valid deflate.") from None
    if not unpacker.eof:
        raise UsageError(f"The body is cut off, or larger than {largest_bytes >> 20} MiB.")
    return inflated
