"""A service in a network whose members are not all friendly: small requests must not cost much, nor tell much."""

import asyncio
import io
import json
import os
import socket
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from starlette.requests import Request

from runyard.serve import Refused, Upload
from runyard.serve.connections import LARGEST_HEAD_BYTES, Connection
from runyard.serve.interface import MOST_INPUTS
from runyard.serve.multipart import parts
from runyard.serve.receiving import TOGETHER, Receiver
from tests.serve.running import Running, running
from tests.serve.small_project import package, png, price, service

HALF = [[0.5] * 4] * 4


class Impatient(Connection):
    """The same with less patience."""

    head_within_s = 0.3


# ---- what a small request may cost ----


@pytest.mark.parametrize("char", [";", '"', "=", ' ";'])
def test_a_header_of_a_form_that_takes_hours_to_take_apart_is_refused(char: str) -> None:
    header = b"Content-Disposition: form-data; name=x" + char.encode() * 1_000_000
    body = b"--b\r\n" + header + b"\r\n\r\nx\r\n--b--"

    with pytest.raises(Refused, match="longer than 1024 characters"):
        parts(body, "multipart/form-data; boundary=b")
    with pytest.raises(Refused, match="longer than 1024 characters"):
        parts(b"--b--", "multipart/form-data; boundary=b" + char * 1_000_000)


def test_a_form_of_a_million_parts_is_not_cut_into_them() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(Refused, match="more than 1000 parts"):
            parts(b"\r\n--b" * 1_000_000, "multipart/form-data; boundary=b")
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_a_long_text_among_numbers_makes_no_room_for_itself_in_each_cell(model: Path) -> None:
    interface = service(model).interface
    body = json.dumps(["x" * 100_000, *([0] * 1000)]).encode()

    tracemalloc.start()
    try:
        with pytest.raises(Refused, match="not all numbers that fit float32"):
            interface.one(body, "application/json")
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    with pytest.raises(Refused, match="not all numbers that fit float32"):
        interface.one(b'[[[0, 1], ["x"]]]', "application/json")


def test_one_request_brings_no_more_inputs_than_others_can_wait_for(model: Path) -> None:
    interface = service(model, predict=price).interface

    with pytest.raises(Refused, match="at most 10,000 at once") as refused:
        interface.many(b"[" + b"0," * MOST_INPUTS + b"0]", "application/json")

    assert refused.value.status == 413


# ---- many at once ----


def a_request(pieces: "asyncio.Queue[bytes]") -> Request:
    """One whose body comes as the queue gives it; an empty piece is its end."""

    async def receive() -> dict[str, Any]:
        piece = await pieces.get()
        return {"type": "http.request", "body": piece, "more_body": bool(piece)}

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


def test_bodies_that_never_end_do_not_fill_the_memory() -> None:
    async def tell() -> list[bytes]:
        receiver = Receiver(1000)
        queues = [asyncio.Queue[bytes]() for _ in range(TOGETHER)]
        bodies = [asyncio.create_task(receiver.body(a_request(queue))) for queue in queues]
        for queue in queues:
            queue.put_nowait(b"x" * 1000)
        while not all(queue.empty() for queue in queues):
            await asyncio.sleep(0)
        late = asyncio.Queue[bytes]()
        late.put_nowait(b"y")
        with pytest.raises(Refused, match="Too much is arriving at once") as refused:
            await receiver.body(a_request(late))
        assert (refused.value.status, refused.value.retry_after_s) == (503, 1)

        for queue in queues:
            queue.put_nowait(b"")
        found = [await body for body in bodies]
        late.put_nowait(b"z")
        late.put_nowait(b"")
        return [*found, await receiver.body(a_request(late))]

    assert asyncio.run(tell()) == [*[b"x" * 1000] * TOGETHER, b"z"]


@pytest.mark.parametrize(
    "said", [b"", b"POST /predict HTTP/1.1\r\nHost: x\r\n", b"GET /live HTTP/1.1\r\nHost: x\r\n\r\nGET"]
)
def test_a_connection_that_never_finishes_its_question_is_closed(model: Path, said: bytes) -> None:
    with running(service(model), connection=Impatient) as served, connected(served) as silent:
        silent.sendall(said)

        assert until_closed(silent).count(b"200 OK") == said.count(b"live")
        assert served.predict(json.dumps(HALF)).status_code == 200


def test_a_head_without_end_is_cut_off(served: Running) -> None:
    with connected(served) as endless:
        try:
            endless.sendall(b"GET /live HTTP/1.1\r\nX: " + b"x" * 4 * LARGEST_HEAD_BYTES)
        except OSError:
            pass  # it was cut off already

        assert b" 200 " not in until_closed(endless)


def test_a_client_that_sends_all_before_it_listens_hears_why_it_was_refused(model: Path) -> None:
    with running(service(model / "nowhere")) as served, connected(served) as stubborn:
        body = b"x" * 1_000_000
        stubborn.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + body)

        assert b" 503 " in stubborn.recv(1000)


def connected(served: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", served.port), timeout=30)


def until_closed(connection: socket.socket) -> bytes:
    """All that is still said."""
    said = b""
    try:
        while piece := connection.recv(1000):
            said += piece
    except ConnectionResetError:
        pass
    return said


# ---- other sites, and what an answer tells ----


def test_a_page_of_another_site_may_not_let_its_visitors_ask(served: Running) -> None:
    for path in ("/predict", "/predict/batch"):
        answer = served.http.post(path, json=HALF, headers={"Sec-Fetch-Site": "cross-site"})
        assert (answer.status_code, "another site" in answer.json()["error"]) == (403, True)
    own = served.http.post("/predict", json=HALF, headers={"Sec-Fetch-Site": "same-origin"})
    assert own.status_code == 200
    assert (
        "access-control-allow-origin" not in served.http.get("/live", headers={"Origin": "http://evil.example"}).headers
    )


def test_a_file_keeps_no_path_of_its_name(served: Running) -> None:
    assert [Upload(b"", name).name for name in ("../../etc/passwd", "C:\\x\\a.png", "a\x1b[2J\n.png", "/", "..")] == [
        "passwd",
        "a.png",
        "a[2J.png",
        "the file",
        "the file",
    ]
    answer = served.http.post("/predict", files={"file": ("/srv/a/b.png", b"no picture", "image/png")})

    assert answer.json()["error"] == "The input does not fit. b.png cannot be read: it is no image of a known format."


def test_no_answer_names_a_folder_of_the_machine(tmp_path: Path) -> None:
    damaged = package(tmp_path / "secret" / "model")
    request = next((damaged / "golden").glob("*.png"))
    request.write_bytes(b"")
    for place in (damaged, tmp_path / "secret" / "nowhere"):
        with running(service(place)) as served:
            answers = [served.http.get("/ready"), served.predict(json.dumps(HALF))]

        assert [answer.status_code for answer in answers] == [503, 503]
        assert not [answer.text for answer in answers if "secret" in answer.text or str(tmp_path) in answer.text]
        assert all(place.name in answer.text or request.name in answer.text for answer in answers)


def test_no_picture_reaches_another_program(served: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, mark = tmp_path / "gs", tmp_path / "it-ran"
    program.write_text(f"#!/bin/sh\ntouch {mark}\nexit 0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    file = io.BytesIO()
    Image.new("L", (4, 4)).save(file, "EPS")

    answer = served.predict(file.getvalue(), "application/octet-stream")

    assert answer.status_code == 422
    assert not mark.exists()
    assert served.predict(png(0.8), "image/png").status_code == 200
