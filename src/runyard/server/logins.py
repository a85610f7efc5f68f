"""What the routes around logging in share: the cookie, and a place apart for the work of passwords."""

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import Request
from starlette.responses import Response

from runyard.accounts.sessions import LONGEST_S
from runyard.server.entrance import cookie_name

_AT_ONCE = 2

Found = TypeVar("Found")


class Apart:
    """Does slow work in two threads of its own, so that many who log in keep no thread from those who are in."""

    def __init__(self) -> None:
        self._limiter: CapacityLimiter | None = None

    async def do(self, work: Callable[[], Found]) -> Found:
        """The result of `work`, which is done in a thread."""
        if self._limiter is None:  # it belongs to the event loop
            self._limiter = CapacityLimiter(_AT_ONCE)
        return await run_sync(work, limiter=self._limiter)


def address_of(request: Request) -> str:
    """Where a request comes from, as far as attempts are counted by it."""
    return request.client.host if request.client else ""


def with_cookie(response: Response, request: Request, key: str) -> Response:
    """Let the browser keep a session; no script of a page can read it, and no other site can send it."""
    response.set_cookie(
        cookie_name(request.url.scheme),
        key,
        max_age=int(LONGEST_S),
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return response


def without_cookie(response: Response, request: Request) -> Response:
    """Let the browser forget the session."""
    scheme = request.url.scheme
    response.delete_cookie(cookie_name(scheme), path="/", secure=scheme == "https", httponly=True, samesite="strict")
    return response
