"""Who may ask: names of this machine, pages of our own, bodies of a sane size."""

import re

import pytest

from runyard.server.permissions import API, LARGEST_BODY_BYTES
from tests.server.serving import WRITES, Served, api_routes

_WRITING = [
    (method, API + re.sub(r"{[^}]*}", "x", route.path))
    for route in api_routes()
    for method in sorted(route.methods or set())
    if method not in ("GET", "HEAD")
]


def test_there_are_routes_that_write() -> None:
    assert len(_WRITING) >= 8


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}", "", "localhost"]
)
def test_a_foreign_name_is_misdirected(shared: Served, host: str) -> None:
    for path in ("/", f"{API}/runs", "/nothing"):
        status, body = shared.raw("GET", path, headers={"Host": host.format(port=shared.port)})
        assert status == 421
        assert b"error" in body


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}", "[::1]:{port}"])
def test_the_names_of_this_machine_are_answered(shared: Served, host: str) -> None:
    assert shared.raw("GET", f"{API}/runs?limit=1", headers={"Host": host.format(port=shared.port)})[0] == 200


@pytest.mark.parametrize(("method", "path"), _WRITING)
def test_every_write_needs_the_header_and_an_origin_of_ours(shared: Served, method: str, path: str) -> None:
    own = f"http://127.0.0.1:{shared.port}"

    assert shared.http.request(method, path, json={}).status_code == 403
    for origin in (
        "http://evil.example",
        "null",
        "https://127.0.0.1",
        f"http://127.0.0.1:{shared.port + 1}",
        f"{own}/x",
    ):
        assert shared.http.request(method, path, json={}, headers=WRITES | {"Origin": origin}).status_code == 403
    assert shared.http.request(method, path, json={}, headers=WRITES | {"Origin": own}).status_code != 403


def test_no_method_but_reading_passes_without_the_header(shared: Served) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"):
        assert shared.http.request(method, f"{API}/runs").status_code == 403


@pytest.mark.parametrize("path", ["/", "/nothing", f"{API}/runs", f"{API}/runs?query=(", f"{API}/openapi.json"])
def test_every_answer_is_strict(shared: Served, path: str) -> None:
    headers = shared.http.get(path).headers

    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "cache-control" in headers
    assert "access-control-allow-origin" not in headers


def test_a_large_body_is_refused(shared: Served) -> None:
    path = f"{API}/actions"
    headers = WRITES | {"Content-Type": "application/json"}

    told = shared.raw("POST", path, b"", headers | {"Content-Length": str(LARGEST_BODY_BYTES + 1)})
    absurd = shared.raw("POST", path, b"", headers | {"Content-Length": "9" * 30})
    pieces = (b" " * (1 << 20) for _ in range(10))
    streamed = shared.http.post(path, content=pieces, headers=headers)

    assert told[0] == 413
    assert absurd[0] in (400, 413)
    assert streamed.status_code == 413
