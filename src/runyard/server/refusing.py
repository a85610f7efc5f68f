"""Refusing a request before any route is asked, in the form that whoever asks knows."""

from typing import Any

import msgspec
from starlette.types import Scope, Send

MLFLOW = "/mlflow/"  # what is below speaks another language
MLFLOW_OF_NO_PROJECT = (
    "/api/2.0/mlflow",
    "/api/3.0/mlflow",
    "/ajax-api/2.0/mlflow",
)  # where clients look by themselves
_CODES = {400: "BAD_REQUEST", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "ENDPOINT_NOT_FOUND",
          405: "ENDPOINT_NOT_FOUND", 421: "PERMISSION_DENIED"}  # fmt: skip


async def refuse(scope: Scope, send: Send, status: int, sentence: str, *headers: tuple[str, str]) -> None:
    """Answer with an error, as every route tells it."""
    document: dict[str, Any] = {"error": sentence}
    if scope.get("path", "").startswith((MLFLOW, *MLFLOW_OF_NO_PROJECT)):
        document |= {"error_code": _CODES.get(status, "INVALID_PARAMETER_VALUE"), "message": sentence}
    body = msgspec.json.encode(document)
    own = (("content-type", "application/json"), ("content-length", str(len(body))))
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in (*own, *headers)]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
