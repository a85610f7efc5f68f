"""`serve(load, predict, …)`: what docker/main.py names, and all that can be done with it."""

import os
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from runyard.errors import UsageError
from runyard.serve.interface import Contract, Interface

MB = 1 << 20


class Service:
    """A project's inference as an ASGI application (`uvicorn docker.main:app`) and as a program (`app.cli()`).

    Making one imports no web framework and loads no model: that happens when it starts to serve.
    """

    def __init__(
        self,
        load: Callable[[Path, str], Any],
        predict: Callable[[Any, list[Any]], Sequence[Any]],
        *,
        model: Path,
        title: str,
        read: Callable[[Path], Iterable[tuple[str, Any]]] | None,
        batch: tuple[int, float],
        contract: "Contract | Callable[[Any], Iterable[Any]] | None",
        largest_mb: float,
        most_waiting: int,
        device: str,
    ) -> None:
        self.load = load
        self.predict = predict
        self.read = read
        self.model = model
        self.title = title
        self.batch_size, self.batch_wait_s = batch
        self.contract = contract
        self.largest_bytes = round(largest_mb * MB)
        self.most_waiting = most_waiting
        self.device = device

    @cached_property
    def interface(self) -> Interface:
        """Input and Output, as the annotations of `predict` say."""
        return Interface(self.predict, self.contract)

    @cached_property
    def asgi(self) -> Any:  # FastAPI, which is imported only here
        """The application that answers requests."""
        from runyard.serve.app import create_app

        return create_app(self)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.asgi(scope, receive, send)

    def cli(self, arguments: Sequence[str] | None = None) -> None:
        """Execute the command line (`serve`, `batch`, `check` or `schema`) and end the process with its exit code."""
        raise SystemExit(self.run(arguments))

    def run(self, arguments: Sequence[str] | None = None) -> int:
        """Execute a command line; return the exit code."""
        from runyard.serve.command import run

        return run(self, arguments)


def serve(
    load: Callable[[Path, str], Any],
    predict: Callable[[Any, list[Any]], Sequence[Any]],
    *,
    model: str | Path = "/model",
    title: str = "",
    read: Callable[[Path], Iterable[tuple[str, Any]]] | None = None,
    batch: tuple[int, float] = (8, 0.02),
    contract: "Contract | Callable[[Any], Iterable[Any]] | None" = None,
    largest_mb: float = 10,
    most_waiting: int = 128,
    device: str = "cpu",
) -> Service:
    """Make a service of a project's own functions.

    Args:
        load: (folder, device) -> model.
        predict: (model, list[Input]) -> list[Output]; its annotations say what a request and an answer look like.
        model: the model folder; the variable MODEL and `--model` go before it.
        title: shown in /version and in the OpenAPI document; without it the name of the project's folder.
        read: (file) -> (name, Input) of each input in it; for `batch`. Without it a file is one input.
        batch: how many inputs go through the model together at most, and for how many seconds a free model waits for
            those that are just arriving.
        contract: what finds problems in an input, as sentences: a data contract or a function.
        largest_mb: of one request.
        most_waiting: inputs that may wait for the model; more are sent away with 503.
        device: "cpu", "cuda" or "cuda:1"; `--device` goes before it.

    Raises:
        UsageError: a limit that makes no sense.
    """
    if batch[0] < 1 or batch[1] < 0 or largest_mb <= 0 or most_waiting < 1:
        raise UsageError(f"batch={batch}, largest_mb={largest_mb} and most_waiting={most_waiting} must be above zero.")
    return Service(
        load,
        predict,
        model=Path(os.environ.get("MODEL") or model),
        title=title or Path.cwd().name,
        read=read,
        batch=batch,
        contract=contract,
        largest_mb=largest_mb,
        most_waiting=most_waiting,
        device=device,
    )
