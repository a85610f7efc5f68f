"""The application: routes, errors, pages, and what lives as long as the server does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI

from runyard import __version__
from runyard.client import open_client
from runyard.journal import Home
from runyard.server import answers
from runyard.server.guard import Guard
from runyard.server.pages import Pages
from runyard.server.routes import columns, groups, projects, runs, series

API = "/api/v1"
_THREADS = 16  # answers at a time: more only wait for each other


def create_app(home: "Home | Path | str | None" = None) -> FastAPI:
    """The dashboard of one home: the page at /, the API under /api/v1.

    Raises:
        FormatUnknown: another version of Runyard wrote the home.
    """
    client = open_client(home)

    @asynccontextmanager
    async def living(_app: FastAPI) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = _THREADS
        try:
            yield
        finally:
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
    answers.install(app)
    for module in (projects, runs, columns, groups, series):
        app.include_router(module.router, prefix=API)
    app.mount("/", Pages())
    app.add_middleware(Guard)
    return app
