"""Errors as MLflow's clients understand them: a code, which decides the status, and a message.

Clients try 408, 429 and all of 5xx again for minutes, so nothing that the asker did wrong may be one of these.
"""

import errno
from typing import Any

import msgspec
from sqlalchemy.exc import OperationalError

from runyard.errors import (
    ConflictError,
    LoginNeeded,
    NotAllowed,
    NotFound,
    RunyardError,
    ServiceError,
    TooManyAttempts,
)

INVALID = "INVALID_PARAMETER_VALUE"
EXISTS = "RESOURCE_ALREADY_EXISTS"
BAD_REQUEST = "BAD_REQUEST"
UNAUTHENTICATED = "UNAUTHENTICATED"
DENIED = "PERMISSION_DENIED"
MISSING = "RESOURCE_DOES_NOT_EXIST"
NO_ENDPOINT = "ENDPOINT_NOT_FOUND"
CONFLICT = "RESOURCE_CONFLICT"
TOO_MANY = "REQUEST_LIMIT_EXCEEDED"
INTERNAL = "INTERNAL_ERROR"
UNAVAILABLE = "TEMPORARILY_UNAVAILABLE"
NOT_IMPLEMENTED = "NOT_IMPLEMENTED"

STATUS = {
    INVALID: 400,
    EXISTS: 400,
    BAD_REQUEST: 400,
    UNAUTHENTICATED: 401,
    DENIED: 403,
    MISSING: 404,
    NO_ENDPOINT: 404,
    CONFLICT: 409,
    TOO_MANY: 429,
    INTERNAL: 500,
    UNAVAILABLE: 503,
    NOT_IMPLEMENTED: 501,
}
_BRANCHES: tuple[tuple[type[RunyardError], str], ...] = (  # the first that fits
    (NotFound, MISSING),
    (LoginNeeded, UNAUTHENTICATED),
    (NotAllowed, DENIED),
    (TooManyAttempts, TOO_MANY),
    (ConflictError, CONFLICT),
    (ServiceError, UNAVAILABLE),
)


class MlflowError(Exception):
    """What a client is told instead of an answer."""

    def __init__(self, message: str, code: str = INVALID) -> None:
        self.code = code
        super().__init__(message)


def told(problem: Exception) -> tuple[int, bytes]:
    """Status and body of an error; of one that nobody foresaw, no more than its kind."""
    match problem:
        case MlflowError():
            code, message, status = problem.code, str(problem), STATUS[problem.code]
        case RunyardError():
            code = next((code for kind, code in _BRANCHES if isinstance(problem, kind)), INVALID)
            message, status = str(problem), STATUS[code]
        case UnicodeError():
            code, message, status = INVALID, "The request holds text that is no valid Unicode.", 400
        case OverflowError():
            code, message, status = INVALID, "The request holds a number that is too large.", 400
        case OperationalError():
            code, message, status = UNAVAILABLE, "The database did not answer. `runyard doctor` may say more.", 503
        case OSError():
            status = 507 if problem.errno in (errno.ENOSPC, errno.EDQUOT) else 503
            why = problem.strerror or type(problem).__name__
            code, message = UNAVAILABLE, f"The disk did not do what was asked: {why}."
        case _:
            code, status = INTERNAL, 500
            message = f"A defect of Runyard: {type(problem).__name__}. What the server printed says more."
    return status, body(code, message)


def body(code: str, message: str) -> bytes:
    """The JSON of an error; `error` is for those who know Runyard's own form."""
    return msgspec.json.encode({"error_code": code, "message": message, "error": message})


def missing_value(name: str) -> MlflowError:
    """A parameter that must be there is not."""
    return MlflowError(f"Missing value for required parameter '{name}'.")


def invalid_value(name: str, value: Any, why: str = "") -> MlflowError:
    """A parameter has a value that cannot be; the value is told as JSON."""
    try:
        shown = msgspec.json.encode(value).decode()
    except (TypeError, ValueError):
        shown = f'"{type(value).__name__}"'
    shown = shown if len(shown) <= 500 else f"{shown[:500]}…"
    return MlflowError(f"Invalid value {shown} for parameter '{name}' supplied{': ' + why if why else '.'}")


def too_long(name: str, limit: int) -> MlflowError:
    """A text has more characters than its place takes."""
    return MlflowError(f"'{name}' exceeds the maximum length of {limit} characters")
