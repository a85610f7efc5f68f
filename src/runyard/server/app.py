"""The application: routes, errors, pages, and what lives as long as the server does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI

from runyard import __version__
from runyard.accounts import Accounts
from runyard.client import open_client
from runyard.journal import Home
from runyard.server import answers, models
from runyard.server.addressing import Addressing
from runyard.server.bodies import Bodies
from runyard.server.entrance import Entrance
from runyard.server.guard import Guard
from runyard.server.logins import Apart
from runyard.server.machines import Machines
from runyard.server.measuring import Meter
from runyard.server.mlflow.asked import Dialect
from runyard.server.mlflow.gate import gate
from runyard.server.pages import Front, Pages
from runyard.server.permissions import API
from runyard.server.receiving import Intake
from runyard.server.remembering import Memory
from runyard.server.routes import (
    actions,
    calls,
    checkpoints,
    columns,
    comparing,
    deliveries,
    details,
    disk,
    events,
    files,
    grids,
    groups,
    health,
    mornings,
    output,
    projects,
    queues,
    runs,
    series,
    sessions,
    tokens,
    uploads,
    users,
    views,
)
from runyard.server.watching import Watcher

ROUTES = (  # deliveries come most often by far, and looking through the others in front of them would take longer
    deliveries, projects, runs, details, columns, groups, series, files, output, comparing,
    actions, grids, queues, mornings, disk, views, events, sessions, tokens, users, uploads,
    checkpoints, calls,
)  # fmt: skip
_THREADS = 16  # answers at a time: more only wait for each other


def create_app(
    home: "Home | Path | str | None" = None,
    *,
    database: str | None = None,
    accounts: Accounts | None = None,
    addressing: Addressing | None = None,
) -> FastAPI:
    """The dashboard of one home: the page at /, the API under /api/v1.

    Args:
        database: the URL of its database; else what the home says.
        accounts: who may do what; without them whoever reaches the server may do everything, so it must listen on
            loopback.
        addressing: under which names it answers besides those of loopback.

    Raises:
        FormatUnknown: another version of Runyard wrote the home.
    """
    client = open_client(home, database=database)
    machines = Machines(client)
    watcher = Watcher(client, machines)

    @asynccontextmanager
    async def living(_app: FastAPI) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = _THREADS
        watcher.start()
        try:
            yield
        finally:
            watcher.stop()
            app.state.intake.close()
            app.state.mlflow.close()
            client.close()

    app = FastAPI(
        title="Runyard",
        version=__version__,
        description="Runs, queue and machines of one home. See docs/api.md.",
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # they would load scripts from elsewhere
        redoc_url=None,
        lifespan=living,
        redirect_slashes=False,
    )
    app.state.client = client
    app.state.machines = machines
    app.state.watcher = watcher
    app.state.memory = Memory(watcher)
    app.state.measured = disk.Measured(client)
    app.state.intake = Intake(client)
    app.state.mlflow = Dialect(client, watcher)
    app.state.accounts = accounts
    app.state.apart = Apart()
    app.state.meter = meter = Meter()
    answers.install(app)
    problem: dict[str, Any] = {"model": models.Problem, "description": "A sentence that says what is wrong."}
    for module in ROUTES:
        app.include_router(module.router, prefix=API, responses={"4XX": problem, "5XX": problem, 422: problem})
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]  # as FastAPI's documentation tells to extend it
    app.include_router(health.router, responses={"4XX": problem, "5XX": problem})
    app.add_route(
        "/mlflow/{address:path}", gate, methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False
    )
    pages = Pages(has_accounts=accounts is not None)
    app.mount("/", pages)
    app.add_middleware(Bodies)  # the last one that is added is the first one that is asked
    app.add_middleware(Entrance, accounts=accounts, meter=meter)
    app.add_middleware(Front, pages=pages)
    app.add_middleware(Guard, addressing=addressing or Addressing())
    return app


def _described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with the arguments of the calls."""
    if app.openapi_schema is None:
        document = FastAPI.openapi(app)
        document["components"]["schemas"] |= calls.components()
    assert app.openapi_schema is not None  # made a line above, or before
    return app.openapi_schema
