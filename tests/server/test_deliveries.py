"""What other machines send and fetch over HTTP: journals, files, calls by name."""

import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from runyard.client import Client, open_client
from runyard.client.remote.calls import CALLS, MOST_ROWS
from runyard.client.remote.transport import MSGPACK
from runyard.journal import EDITS, MAIN
from runyard.journal.pieces import Piece, Receipt
from runyard.records import RunSpec
from runyard.server.permissions import API
from tests.client.travelling import a_piece, a_spec, rows
from tests.server.serving import WRITES, Served, serving

DELIVERIES = f"{API}/deliveries"
PACKED = WRITES | {"Content-Type": MSGPACK}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path / "home") as served:
        yield served


@pytest.fixture
def spec(served: Served) -> RunSpec:
    spec = a_spec()
    served.client.announce([spec])
    return spec


def deliver(served: Served, *pieces: Piece) -> list[Receipt]:
    body = msgspec.msgpack.encode(pieces)
    response = served.http.post(DELIVERIES, content=body, headers=PACKED)
    assert response.status_code == 200, response.text
    return msgspec.msgpack.decode(response.content, type=list[Receipt])


def refusal(served: Served, body: bytes, **headers: str) -> tuple[int, str]:
    response = served.http.post(DELIVERIES, content=body, headers=PACKED | headers)
    return response.status_code, response.json()["error"]


def test_a_delivery_is_acknowledged_piece_by_piece(served: Served, spec: RunSpec, tmp_path: Path) -> None:
    data = rows(tmp_path, spec.id, range(10))

    kept, unknown = deliver(served, a_piece(spec.id, data), a_piece("nobody0000", data))

    assert kept == Receipt(len(data))
    assert unknown.kind == "NotFound"
    assert served.client.index.get(spec.id).summary["loss"].count == 10


def test_a_delivery_may_be_compressed(served: Served, spec: RunSpec, tmp_path: Path) -> None:
    data = rows(tmp_path, spec.id, range(200))
    body = zlib.compress(msgspec.msgpack.encode([a_piece(spec.id, data)]))

    response = served.http.post(DELIVERIES, content=body, headers=PACKED | {"Content-Encoding": "deflate"})

    assert msgspec.msgpack.decode(response.content, type=list[Receipt]) == [Receipt(len(data))]


def test_a_receipt_tells_that_somebody_edited_the_run(served: Served, spec: RunSpec, tmp_path: Path) -> None:
    served.client.tag(spec.id, add=["fine"])

    (receipt,) = deliver(served, a_piece(spec.id, rows(tmp_path, spec.id, range(3))))
    edits = served.http.get(f"{API}/runs/{spec.id}/journals/0/{EDITS}").content

    assert receipt.edits_bytes == len(edits) > 0


def test_a_journal_is_fetched_from_any_byte_on(served: Served, spec: RunSpec, tmp_path: Path) -> None:
    data = rows(tmp_path, spec.id, range(10))
    deliver(served, a_piece(spec.id, data))

    listed = msgspec.msgpack.decode(served.http.get(f"{API}/runs/{spec.id}/journals").content)
    rest = served.http.get(f"{API}/runs/{spec.id}/journals/1/{MAIN}", params={"offset": 100}).content

    assert listed == [[1, MAIN, len(data)]]
    assert rest == data[100:]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"", {}),
        (b"\xff" * 40, {}),
        (msgspec.msgpack.encode({"a": 1}), {}),
        (msgspec.msgpack.encode([["x", 1, "main", 0, b""]] * 300), {}),
        (msgspec.msgpack.encode([["x", 1, "main", 0, b""]] * 2), {}),
        (b"no deflate", {"Content-Encoding": "deflate"}),
        (zlib.compress(b"\x90")[:-3], {"Content-Encoding": "deflate"}),
        (zlib.compress(bytes(200 << 20)), {"Content-Encoding": "deflate"}),
        (b"\x90", {"Content-Encoding": "gzip"}),
    ],
)
def test_what_is_no_delivery_is_refused_with_a_sentence(served: Served, body: bytes, headers: dict[str, str]) -> None:
    before = sorted(served.path.rglob("*.journal"))

    status, sentence = refusal(served, body, **headers)

    assert 400 <= status < 500
    assert sentence.endswith(".")
    assert sorted(served.path.rglob("*.journal")) == before


@pytest.mark.parametrize("place", ["1/../../run.json", "1/..%2f..%2frun", "0/main", "1/edits", "1/nothing", "9/main"])
def test_a_journal_that_is_none_is_not_fetched(served: Served, spec: RunSpec, place: str) -> None:
    status, _ = served.raw("GET", f"{API}/runs/{spec.id}/journals/{place}")

    assert 400 <= status < 500


# ---- files ----


def put(served: Served, sha256: str, part: bytes, *, offset: int, size: int) -> tuple[int, dict[str, object]]:
    response = served.http.put(
        f"{API}/artifacts/{sha256}/parts", content=part, params={"offset": offset, "size": size}, headers=WRITES
    )
    return response.status_code, response.json()


def test_a_file_comes_in_parts_and_is_checked(served: Served) -> None:
    import hashlib

    data = bytes(range(256)) * 40
    sha256 = hashlib.sha256(data).hexdigest()

    begun = put(served, sha256, data[:5000], offset=0, size=len(data))
    again = put(served, sha256, data[:5000], offset=0, size=len(data))
    done = put(served, sha256, data[5000:], offset=5000, size=len(data))

    assert begun == again == (200, {"offset": 5000, "is_stored": False})
    assert done == (200, {"offset": len(data), "is_stored": True})
    assert served.client.artifacts.path(sha256).read_bytes() == data


def test_a_file_that_is_not_what_it_says_is_not_stored(served: Served) -> None:
    status, answer = put(served, "a" * 64, b"something else", offset=0, size=14)

    assert status == 409
    assert "damaged" in str(answer["error"])
    assert not served.client.artifacts.has("a" * 64)
    assert served.client.artifacts.uploaded("a" * 64).offset == 0


def test_more_than_was_announced_is_not_taken(served: Served) -> None:
    assert put(served, "a" * 64, b"x" * 100, offset=0, size=10)[0] == 409


@pytest.mark.parametrize("sha256", ["..", "%2e%2e%2fx", "A" * 64, "g" * 64, "a" * 63])
def test_a_name_that_is_no_hash_becomes_no_path(served: Served, sha256: str) -> None:
    before = sorted(served.path.rglob("*"))

    assert 400 <= put(served, sha256, b"x", offset=0, size=1)[0] < 500
    assert sorted(served.path.rglob("*")) == before


# ---- calls ----


def test_every_call_has_an_address_that_is_described(served: Served) -> None:
    document = served.http.get(f"{API}/openapi.json").json()

    for name in CALLS:
        operation = document["paths"][f"{API}/calls/{name}"]["post"]
        (content,) = operation["requestBody"]["content"].values()
        schema = content["schema"]["$ref"].rpartition("/")[2]
        assert document["components"]["schemas"][schema]["type"] == "object"
        assert operation["description"]


@pytest.mark.parametrize("name", sorted(CALLS))
@pytest.mark.parametrize("body", [b"", b"[]", b'{"no_such": 1}', b'{"run_id": 1e400}', b"[" * 10_000, b'"\xff"'])
def test_arguments_that_do_not_fit_are_refused(shared: Served, name: str, body: bytes) -> None:
    response = shared.http.post(f"{API}/calls/{name}", content=body, headers=WRITES)

    assert response.status_code == 422
    assert name in response.json()["error"]


def test_a_call_gives_a_page_at_most(served: Served) -> None:
    for limit in (None, -1, MOST_ROWS + 1, 10**30):
        response = served.http.post(f"{API}/calls/index.find", json={"limit": limit}, headers=WRITES)
        assert response.status_code == 422


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "../../../etc"},
        {"id": "UPPERCASE0"},
        {"id": "x" * 400},
        {"project": ""},
        {"project": "a\nb"},
        {"name": "x" * 5000},
        {"created_at": "2024-05-01T12:00:00"},
        {"priority": 10**12},
        {"format": 99},
    ],
)
def test_a_run_that_cannot_be_is_not_made(served: Served, changes: dict[str, object]) -> None:
    plain = msgspec.to_builtins(a_spec()) | changes

    response = served.http.post(f"{API}/calls/client.announce", json={"specs": [plain]}, headers=WRITES)

    assert response.status_code == 422
    assert served.client.index.count() == 0
    assert list((served.path / "runs").iterdir()) == []


def test_a_run_that_is_announced_twice_is_made_once(served: Served) -> None:
    spec = a_spec()

    assert served.client.announce([spec]) == [spec.id]
    assert served.client.announce([spec]) == []
    with pytest.raises(Exception, match="id"):
        served.client.announce([msgspec.structs.replace(spec, name="another")])


def test_a_home_that_is_opened_beside_the_server_sees_the_same(served: Served, spec: RunSpec, tmp_path: Path) -> None:
    deliver(served, a_piece(spec.id, rows(tmp_path, spec.id, range(4))))

    with closing(open_client(served.path)) as beside:
        assert isinstance(beside, Client)
        assert beside.index.get(spec.id).summary["loss"].count == 4
