"""Nothing that a client sends becomes a path, SQL, or a defect."""

import pytest

from runyard.server.permissions import API
from tests.server.serving import WRITES, Served
from tests.server.team import Team

JSON = WRITES | {"Content-Type": "application/json"}

PATHS = [
    "/../errors.py",
    "/..%2ferrors.py",
    "/%2e%2e/errors.py",
    "/%2e%2e%2ferrors.py",
    "/..%5cerrors.py",
    "/styles/../../errors.py",
    "/styles/%2e%2e/%2e%2e/errors.py",
    "//etc/passwd",
    "/%00",
    "/index.html%00.css",
    "/%ff%fe",
    "/.git/config",
    f"{API}/runs/..%2f..%2fetc",
    f"{API}/runs/%2e%2e",
    f"{API}/runs/%00",
    f"{API}/runs/%ff",
    f"{API}/runs/' or 1=1 --".replace(" ", "%20"),
    f"{API}/runs/x/output",
    f"{API}/runs/..%2fx/output",
    f"{API}/runs/x/artifacts",
    f"{API}/runs/x/media/1/main/0",
    f"{API}/runs/x/media/1/..%2f..%2fx/0",
    f"{API}/runs/x/media/{10**30}/main/0",
    f"{API}/artifacts/..%2f..%2frunyard.db",
    f"{API}/artifacts/{'0' * 64}",
    f"{API}/artifacts/{'g' * 64}",
    f"{API}/runs?offset={10**30}",
    f"{API}/runs?limit={10**30}",
    f"{API}/runs?limit=-1",
    f"{API}/runs?limit=nan",
    f"{API}/runs?sort=nope",
    f"{API}/runs?sort=-",
    f"{API}/runs?query=(",
    f"{API}/runs?query={'(' * 5000}",
    f"{API}/runs?query=%00",
    f"{API}/runs?query=seed=={10**400}%20and%20",
    f"{API}/groups?by=",
    f"{API}/groups?by={','.join('abcdefghij')}",
    f"{API}/groups?sort=tags",
    f"{API}/diff?runs=a",
    f"{API}/diff?runs=a,b",
    f"{API}/diff?runs=a,b&section=../x",
    f"{API}/metrics?runs=",
    f"{API}/metrics",
    f"{API}/morning?since=yesterday",
    f"{API}/morning?since=0001-01-01T00:00:00Z",
    f"{API}/morning?since=9999-12-31T23:59:59-23:59",
    f"{API}/views/nothing",
    f"{API}/views/%2e%2e%2fhome.json",
    f"{API}/nothing",
    f"{API}/runs/",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_hostile_address_is_refused_with_a_sentence(shared: Served, path: str) -> None:
    status, body = shared.raw("GET", path)

    assert 400 <= status < 500, (status, body[:300])
    assert b'"error"' in body
    assert b"[tool" not in body
    assert b"root:" not in body


BODIES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe\x00",
    b'"\\ud800"',
    b'{"action":"stop","runs":["\\ud800"]}',
    b'{"action":"stop","runs":[]}',
    b'{"action":"stop","runs":"abc"}',
    b'{"action":"explode","runs":["a"]}',
    b'{"action":"stop","runs":["a"],"surprise":1}',
    b'{"action":"priority","runs":["a"],"value":NaN}',
    b'{"action":"priority","runs":["a"],"value":1' + b"0" * 30 + b"}",
    b'{"action":"priority","runs":["a"],"value":1' + b"0" * 5000 + b"}",
    b'{"action":"before","runs":["a"]}',
    b'{"action":"stop","runs":["a"],"value":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b"[" * 200_000,
    b'{"runs":["a"],"keys":["b"],"buckets":0}',
    b'{"runs":["a"],"keys":["b"],"buckets":1' + b"0" * 30 + b"}",
    b'{"runs":["a"],"keys":["b"],"start":NaN}',
    b'{"runs":["a"],"keys":["b"],"stop":Infinity}',
    b'{"runs":["a"],"keys":["b"],"start":1e300}',
    b'{"runs":["a"],"keys":["b"],"x":"side"}',
    b'{"name":"","note":null}',
    b'{"add_tags":[""]}',
    b'{"add_tags":["a"],"remove_tags":["a"]}',
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body[:40].decode("ascii", "replace"))
def test_a_hostile_body_is_refused_with_a_sentence(shared: Served, body: bytes) -> None:
    one = shared.client.index.find('state == "COMPLETED"', limit=1)[0].id
    for method, path in (("POST", "/actions"), ("POST", "/series"), ("PATCH", f"/runs/{one}"), ("PUT", "/views/x")):
        if method == "PUT" and body.startswith(b"{") and body.endswith(b"}"):
            continue  # a view may hold any keys
        status, answer = shared.raw(method, API + path, body, JSON)
        assert 400 <= status < 500, (path, status, answer[:300])
        assert b'"error"' in answer


STRANGE = [b"NaN", b"Infinity", b"-Infinity", b"1e999", b'"\\ud800"', b"[" * 5000 + b"]" * 5000]


@pytest.mark.parametrize("value", STRANGE, ids=lambda value: value[:12].decode())
def test_a_view_holds_nothing_but_strict_json(shared: Served, value: bytes) -> None:
    status, answer = shared.raw("PUT", f"{API}/views/x", b'{"x":' + value + b"}", JSON)

    assert 400 <= status < 500, answer[:300]


HOSTILE = [
    "<script>alert(1)</script>",
    "'; drop table runs; --",
    "\u202egnp.exe",
    "a\x00b",
    "\x1b[31m",
    "😀" * 50,
    "x" * 2000,
    "%",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_can_be_a_name_and_comes_back_as_it_was(served: Served, one: str, text: str) -> None:
    changed = served.send("PATCH", f"/runs/{one}", {"name": text, "note": text, "add_tags": [text[:200]]})

    assert (changed["name"], changed["note"]) == (text, text)
    assert text[:200] in changed["tags"]
    assert served.get("/runs", query="state == 'COMPLETED'", limit=500)["total"] > 1


@pytest.mark.parametrize("name", ["a/b", "..", "<b>", "ü 😀", "x" * 200, "a%2fb"])
def test_any_text_can_name_a_view(served: Served, name: str) -> None:
    response = served.http.put(f"{API}/views/" + _quoted(name), json={"q": name}, headers=WRITES)

    assert response.status_code == 200, response.text
    assert served.get("/views")["views"] == {name: {"q": name}}


def _quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


ADMIN_PATHS = [
    ("GET", "/audit?offset={huge}"),
    ("GET", "/audit?limit=nan"),
    ("DELETE", "/tokens/{huge}"),
    ("DELETE", "/tokens/..%2f..%2fx"),
    ("DELETE", "/tokens/%00"),
    ("PATCH", "/users/%00"),
    ("PATCH", "/users/..%2fada"),
    ("POST", "/users/%ff%fe/link"),
    ("DELETE", "/private/%00"),
    ("DELETE", "/private/..%2f..%2fetc"),
    ("PUT", "/private/%00"),
]


@pytest.mark.parametrize(("method", "path"), ADMIN_PATHS)
def test_an_admin_s_hostile_address_is_refused_with_a_sentence(shared_team: Team, method: str, path: str) -> None:
    headers = {"Authorization": f"Bearer {shared_team.tokens['ada']}", "Content-Type": "application/json"}
    body = b'{"members": []}' if method == "PUT" else b"{}" if method in ("PATCH", "POST") else b""

    status, answer = shared_team.served.raw(method, API + path.format(huge=10**30), body, headers)

    assert 400 <= status < 500, answer[:300]
    assert b'"error"' in answer


ADMIN_BODIES = [
    ("POST", "/tokens", b'{"label":"x","days":NaN}'),
    ("POST", "/tokens", b'{"label":"x","days":1e400}'),
    ("POST", "/tokens", b'{"label":"x","days":' + b"9" * 5000 + b"}"),
    ("POST", "/tokens", b'{"label":"\\ud800"}'),
    ("POST", "/tokens", b'{"label":"a\\u0000b"}'),
    ("POST", "/tokens", b'{"label":"x","projects":[]}'),
    ("POST", "/tokens", b'{"label":"x","projects":["\\ud800"]}'),
    ("POST", "/tokens", b'{"label":"x","role":"king"}'),
    ("POST", "/users", b'{"name":"\\u0000"}'),
    ("POST", "/users", b'{"name":"' + b"x" * 300 + b'"}'),
    ("POST", "/users", b'{"name":"x","surprise":1}'),
    ("PUT", "/private/x", b'{"members":["../x"]}'),
    ("POST", "/session", b'{"name":"ada","password":"\\ud800\\ud800\\ud800\\ud800"}'),
    ("POST", "/session", b'{"name":"\\ud800","password":"x"}'),
    ("POST", "/session", b'{"name":"ada","password":"' + b"x" * 20_000 + b'"}'),
    ("POST", "/links/look", b'{"link":"\\ud800"}'),
    ("POST", "/links/follow", b'{"link":"\\u0000","password":"x"}'),
]


@pytest.mark.parametrize(("method", "path", "body"), ADMIN_BODIES, ids=lambda part: str(part)[:40])
def test_a_hostile_body_about_accounts_is_refused_with_a_sentence(
    shared_team: Team, method: str, path: str, body: bytes
) -> None:
    cookie = shared_team.browser("ada").cookies["runyard-session"]

    status, answer = shared_team.served.raw(method, API + path, body, JSON | {"Cookie": f"runyard-session={cookie}"})

    assert 400 <= status < 500, answer[:300]
    assert b'"error"' in answer
