"""A service is started for a test, on a port of its own, and ended with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from runyard.testing import served_app


def an_app(*, is_broken: bool = False) -> tuple[FastAPI, list[str]]:
    happened: list[str] = []

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        if is_broken:
            raise RuntimeError("no model")
        happened.append("began")
        yield
        happened.append("ended")

    app = FastAPI(lifespan=life)

    @app.get("/ready")
    def ready() -> dict[str, bool]:
        return {"ready": "began" in happened}

    return app, happened


def test_an_app_answers_and_ends_with_the_block() -> None:
    app, happened = an_app()

    with served_app(app) as address:
        assert httpx.get(f"{address}/ready").json() == {"ready": True}
        assert happened == ["began"]

    assert happened == ["began", "ended"]
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/ready")


def test_two_apps_have_different_ports() -> None:
    with served_app(an_app()[0]) as one, served_app(an_app()[0]) as other:
        assert one != other
        assert httpx.get(f"{other}/ready").status_code == 200


def test_an_app_in_a_file_is_found(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        "from fastapi import FastAPI\napp = FastAPI()\n\n@app.get('/')\ndef root() -> str:\n    return 'here'\n"
    )

    with served_app(tmp_path / "main.py") as address:
        assert httpx.get(address).json() == "here"


def test_what_cannot_be_served_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty.py").touch()

    with pytest.raises(AssertionError, match=r"there is no file .*nothing\.py"), served_app(tmp_path / "nothing.py"):
        pass
    with pytest.raises(AssertionError, match="has no `app`"), served_app(tmp_path / "empty.py"):
        pass


def test_a_startup_that_fails_is_told(caplog: pytest.LogCaptureFixture) -> None:
    app, _ = an_app(is_broken=True)

    with pytest.raises(AssertionError, match="did not start"), served_app(app):
        pass
