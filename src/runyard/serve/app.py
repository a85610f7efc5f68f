"""The web application: requests in, answers out, and a word about itself on /live, /ready, /metrics and /version.

The model is loaded in a thread when the application starts, never at import and never for a request; until it has
given the golden answers, /ready and /predict say 503 and why.
"""

import asyncio
import importlib.metadata
import json
import re
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

import pydantic_core
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from runyard.errors import RunyardError
from runyard.serve.batching import Batcher
from runyard.serve.computing import Computer
from runyard.serve.interface import FORM, JSON
from runyard.serve.loading import Loaded, open_model, wrong_answers
from runyard.serve.measuring import CONTENT_TYPE, Measurements
from runyard.serve.pictures import guard_pictures
from runyard.serve.receiving import Receiver
from runyard.serve.refusals import Refused
from runyard.serve.service import Service

SMALL_BYTES = 1 << 15  # JSON below this is read in the event loop: a thread would cost more
_FOLDERS = re.compile(r"(?<![\w./:])/(?:[^\s/'\":;,]+/)+")

_REFUSALS = {
    "400": "The body cannot be read.",
    "403": "A page of another site asked, by the browser of somebody who looks at it.",
    "413": "The request is too large.",
    "415": "The content type is not taken.",
    "422": "The input does not fit its schema or the data contract.",
    "503": "The model is not ready, or too many wait; Retry-After says how long.",
}

Handler = Callable[[Request], Awaitable[Response]]


def create_app(service: Service) -> FastAPI:
    """The application of a service."""
    serving = Serving(service)
    app = FastAPI(
        title=service.title,
        version=importlib.metadata.version("runyard"),
        lifespan=serving.lifespan,
        docs_url=None,  # its page would load scripts from a CDN
        redoc_url=None,
    )
    one = {"requestBody": _request_body(service), "responses": _answers(service)}
    several = {
        "requestBody": _request_body(service, is_list=True),
        "responses": _answers(service, is_list=True),
    }
    predictions = {"/predict": (serving.predict, one), "/predict/batch": (serving.predict_batch, several)}
    for path, (answer, _) in predictions.items():  # routes of Starlette: those of FastAPI cost more than the rest of it
        app.add_route(path, serving.handler(answer), methods=["POST"])
    for path, answer in (
        ("/", serving.index),
        ("/live", serving.live),
        ("/ready", serving.ready),
        ("/metrics", serving.metrics),
        ("/version", serving.version),
    ):
        app.get(path, include_in_schema=path != "/")(serving.handler(answer))
    app.state.serving = serving
    app.add_exception_handler(HTTPException, _not_served)
    components = _components(service)
    build = app.openapi

    def openapi() -> dict[str, Any]:
        document = build()
        for path, (answer, about) in predictions.items():
            document["paths"][path] = {"post": {"summary": answer.__doc__, **about}}
        document.setdefault("components", {}).setdefault("schemas", {}).update(components)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # the way that FastAPI documents
    return app


class Serving:
    """A service that runs: its model, its queue, its counts."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.measured = Measurements()
        self.settled = threading.Event()  # the model is ready, or has turned out not to be
        self._stage = "not started"
        self._problem = ""
        self._receiver = Receiver(service.largest_bytes)
        self._loaded: Loaded | None = None
        self._computer: Computer | None = None
        self._batcher = Batcher(
            self._compute,
            size=service.batch_size,
            wait_s=service.batch_wait_s,
            most_waiting=service.most_waiting,
            on_batch=self._note_batch,
        )

    @property
    def is_ready(self) -> bool:
        """Whether the model answers, and did so rightly."""
        return self._computer is not None

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        loading = asyncio.create_task(asyncio.to_thread(self._load))
        yield
        await loading
        self._batcher.close()

    def _load(self) -> None:
        try:
            self._try_to_load()
        finally:
            self.settled.set()

    def _try_to_load(self) -> None:
        guard_pictures()
        try:
            loaded = open_model(self.service, self._tell)
            self._problem = wrong_answers(loaded.checked)
        except RunyardError as error:
            self._problem = str(error)
        except Exception as error:  # whatever the project's load raises: /ready tells it
            self._problem = f"The model cannot be loaded: {type(error).__name__}: {error}"
        if self._problem:
            print(self._problem, file=sys.stderr, flush=True)
            self._problem = _without_folders(self._problem)
            return
        self._loaded = loaded
        self._computer = Computer(loaded.model, self.service.predict, self.service.interface)
        self._tell("ready")

    def _tell(self, stage: str) -> None:
        self._stage = stage

    def _compute(self, values: list[Any]) -> Any:
        assert self._computer is not None
        return self._computer(values)

    def _note_batch(self, size: int, seconds: float) -> None:
        self.measured.batch_size.add(size)
        self.measured.model_s.add(seconds)

    def handler(self, answer: Handler) -> Handler:
        """Count, time, and turn refusals into answers."""

        async def handle(request: Request) -> Response:
            begun = perf_counter()
            path = request.scope["path"]
            self.measured.in_flight += 1
            response = Response(status_code=499)
            try:
                response = await answer(request)
            except Refused as refusal:
                response = _json(refusal.document(), refusal.status)
                if refusal.retry_after_s is not None:
                    response.headers["Retry-After"] = str(refusal.retry_after_s)
                if refusal.status in (408, 413):
                    response.headers["Connection"] = "close"  # the rest of the body is never read
            except ClientDisconnect:
                pass  # nobody reads the answer
            except Exception as error:  # the request handler: a defect of the project's code or ours
                print(f"{path}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
                response = _json({"error": "The service failed at this request; its output says why."}, 500)
            finally:
                self.measured.in_flight -= 1
                self.measured.requests[path, response.status_code] += 1
                if path.startswith("/predict"):
                    self.measured.latency_s.add(perf_counter() - begun)
            return response

        handle.__doc__ = answer.__doc__
        handle.__name__ = answer.__name__
        handle.__annotations__ = {"request": Request, "return": Response}
        return handle

    async def predict(self, request: Request) -> Response:
        """Predict for one input."""
        self._check_ready()
        _check_site(request)
        value = await self._received(request, self.service.interface.one)
        (found,) = await self._batcher.submit([value])
        if isinstance(found, Exception):
            raise found
        return Response(found, media_type=JSON)

    async def predict_batch(self, request: Request) -> Response:
        """Predict for several inputs; the answers come in their order."""
        self._check_ready()
        _check_site(request)
        values = await self._received(request, self.service.interface.many)
        found = await self._batcher.submit(values)
        for number, each in enumerate(found):
            if isinstance(each, Refused):
                raise Refused(f"[{number}]: {each}", status=each.status, retry_after_s=each.retry_after_s)
            if isinstance(each, Exception):
                raise each
        return Response(b"[" + b",".join(found) + b"]", media_type=JSON)  # type: ignore[arg-type]  # no exceptions now

    async def live(self, request: Request) -> Response:
        """The process answers; the model is not asked."""
        return _json({"live": True})

    async def ready(self, request: Request) -> Response:
        """200 when the files are whole, the model is loaded and gave the golden answers; 503 before."""
        if self._loaded is not None:
            return _json({"ready": True, "golden_samples": len(self._loaded.checked)})
        return _json({"ready": False, "stage": self._stage, "error": self._problem}, 503)

    async def metrics(self, request: Request) -> Response:
        """Counts and times, as OpenMetrics."""
        text = self.measured.text(
            about={name: str(value) for name, value in self._version().items() if value is not None},
            waiting=self._batcher.waiting,
            is_ready=self.is_ready,
            sums=self._computer.sums if self._computer else {},
        )
        return Response(text, headers={"Content-Type": CONTENT_TYPE})

    async def version(self, request: Request) -> Response:
        """Which model answers, and where it comes from."""
        return _json(self._version())

    async def index(self, request: Request) -> Response:
        """Where to ask."""
        return _json(
            {
                "title": self.service.title,
                "predict": "POST /predict",
                "several": "POST /predict/batch",
                "taken": list(self.service.interface.content_types),
                "more": ["/live", "/ready", "/metrics", "/version", "/openapi.json"],
            }
        )

    def _version(self) -> dict[str, Any]:
        about: dict[str, Any] = {"title": self.service.title, "runyard": importlib.metadata.version("runyard")}
        if self._loaded is not None:
            manifest = self._loaded.manifest
            about |= {"model": manifest.id, "framework": manifest.framework, **manifest.origin}
        return about

    def _check_ready(self) -> None:
        if not self.is_ready:
            why = self._problem or f"The model is not ready yet ({self._stage})."
            raise Refused(why, status=503, retry_after_s=None if self._problem else 1)

    async def _received(self, request: Request, decode: Callable[[bytes, str], Any]) -> Any:
        """Read and check what came; a file, and whatever is large, in a thread."""
        self._batcher.admit()
        self._batcher.arriving += 1
        try:
            body = await self._receiver.body(request)
            content_type = request.headers.get("content-type", "")
            if len(body) < SMALL_BYTES and not self.service.interface.takes_files:
                return decode(body, content_type)
            return await asyncio.to_thread(decode, body, content_type)
        finally:
            self._batcher.arriving -= 1
            if not self._batcher.arriving:
                asyncio.get_running_loop().call_soon(self._batcher.look)  # those that waited for this one


async def _not_served(request: Request, problem: Exception) -> Response:
    """Another path or method than those there are."""
    assert isinstance(problem, HTTPException)  # it is registered for these
    sentences = {
        404: "There is nothing at this path; GET / lists what there is.",
        405: f"{request.method} is not answered at this path; GET / lists what is.",
    }
    answer = _json({"error": sentences.get(problem.status_code, str(problem.detail))}, problem.status_code)
    answer.headers.update(problem.headers or {})
    return answer


def _check_site(request: Request) -> None:
    """A page of another site may not let its visitors' browsers ask: they reach machines that it does not."""
    if request.headers.get("sec-fetch-site") == "cross-site":
        raise Refused("This request comes from a page of another site, which may not ask here.", status=403)


def _without_folders(text: str) -> str:
    """A sentence for whoever asks from outside: files keep their names, and the folders stay on the output."""
    return _FOLDERS.sub("", text)


def _json(document: Any, status: int = 200) -> Response:
    return Response(pydantic_core.to_json(document, inf_nan_mode="null"), status, media_type=JSON)


def _request_body(service: Service, *, is_list: bool = False) -> dict[str, Any]:
    schema = _reference(service.interface.schema()["input"])
    content: dict[str, Any] = {JSON: {"schema": {"type": "array", "items": schema} if is_list else schema}}
    file = {"type": "string", "format": "binary"}
    if service.interface.takes_files:
        files: dict[str, Any] = {"type": "array", "items": file} if is_list else file
        content[FORM] = {"schema": {"type": "object", "properties": {"file": files}}}
        if not is_list:
            content["image/*"] = {"schema": file}
    return {"required": True, "content": content}


def _components(service: Service) -> dict[str, Any]:
    """The parts that the schemas of input and output refer to."""
    schemas = service.interface.schema().values()
    return {name: _reference(part) for schema in schemas for name, part in schema.get("$defs", {}).items()}


def _reference(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema whose references lead into the OpenAPI document."""
    moved: dict[str, Any] = json.loads(json.dumps(schema).replace("#/$defs/", "#/components/schemas/"))
    moved.pop("$defs", None)
    return moved


def _answers(service: Service, *, is_list: bool = False) -> dict[str, Any]:
    output = _reference(service.interface.schema()["output"])
    error = {
        "type": "object",
        "properties": {"error": {"type": "string"}, "problems": {"type": "array", "items": {"type": "object"}}},
    }
    refused = {
        status: {"description": text, "content": {JSON: {"schema": error}}} for status, text in _REFUSALS.items()
    }
    schema = {"type": "array", "items": output} if is_list else output
    return {"200": {"description": "The prediction.", "content": {JSON: {"schema": schema}}}, **refused}
