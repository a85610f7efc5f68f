"""Answers and errors as JSON.

Large answers are encoded by msgspec straight from our records; what JSON lacks (NaN, infinities) becomes null.
The models beside the routes describe them for the OpenAPI document, and a test holds answers against models.
"""

import errno
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from runyard.client.remote.transport import ERROR_HEADER
from runyard.errors import (
    ConflictError,
    LoginNeeded,
    NotAllowed,
    NotFound,
    ProjectNotFound,
    QueryError,
    RunyardError,
    ServiceError,
    TooManyAttempts,
    UsageError,
)

JSON = "application/json"
_STATUS: Sequence[tuple[type[RunyardError], int]] = (  # the first that fits
    (NotFound, 404),
    (ProjectNotFound, 404),
    (LoginNeeded, 401),
    (NotAllowed, 403),
    (TooManyAttempts, 429),
    (UsageError, 422),
    (ConflictError, 409),
    (ServiceError, 503),
)


def answer(document: Any, status: int = 200) -> Response:  # anything msgspec encodes
    """A document as JSON; times in UTC."""
    return Response(msgspec.json.encode(document), status, media_type=JSON)


def refuse(status: int, sentence: str, **more: int) -> Response:
    """An error as every route tells it."""
    return answer({"error": sentence} | more, status)


def status_of(error: RunyardError) -> int:
    """The HTTP status of a branch of the tree of errors."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def install(app: FastAPI) -> None:
    """Let every error be told in one form."""
    handlers: dict[type[Exception], Callable[[Request, Any], Response]] = {
        RunyardError: _told,
        RequestValidationError: _invalid,
        HTTPException: _http,
        UnicodeError: _no_text,
        OverflowError: _too_large,
        OSError: _disk,
        OperationalError: _database,
        Exception: _unexpected,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def _told(_request: Request, error: RunyardError) -> Response:
    if isinstance(error, QueryError):
        response = refuse(422, str(error), position=error.position, length=error.length)
    else:
        response = refuse(status_of(error), str(error))
    if isinstance(error, TooManyAttempts):
        response.headers["Retry-After"] = str(error.retry_after_s)
    response.headers[ERROR_HEADER] = type(error).__name__
    return response


def _invalid(_request: Request, error: RequestValidationError) -> Response:
    problems = [f"{_place(each['loc'])}: {each['msg']}" for each in error.errors()[:5]]
    return refuse(422, "The request cannot be understood: " + "; ".join(problems) + ".")


def _place(location: Sequence[Any]) -> str:  # names and positions, as Pydantic gives them
    return ".".join(str(part) for part in location[1:]) or str(location[0])


def _http(_request: Request, error: HTTPException) -> Response:
    sentences = {404: "There is nothing at this address.", 405: "This address does not take that method."}
    response = refuse(error.status_code, sentences.get(error.status_code, str(error.detail)))
    response.headers.update(error.headers or {})
    return response


def _no_text(_request: Request, _error: UnicodeError) -> Response:
    return refuse(422, "The request holds text that is no valid Unicode.")


def _too_large(_request: Request, _error: OverflowError) -> Response:
    return refuse(422, "The request holds a number that is too large.")


def _disk(_request: Request, error: OSError) -> Response:
    status = 507 if error.errno in (errno.ENOSPC, errno.EDQUOT) else 503  # 507: insufficient storage
    return refuse(status, f"The disk did not do what was asked: {error.strerror or type(error).__name__}.")


def _database(_request: Request, error: OperationalError) -> Response:
    return refuse(503, f"The database did not answer: {error.orig}. `runyard doctor` may say more.")


def _unexpected(_request: Request, error: Exception) -> Response:
    return refuse(500, f"A defect of Runyard: {type(error).__name__}. What the server printed says more.")
