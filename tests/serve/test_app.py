"""A service over a real socket: it is ready when it has proven itself, answers what fits, and says why otherwise."""

import asyncio
import base64
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import BaseModel, TypeAdapter

from runyard.contracts import Array
from runyard.errors import UsageError
from runyard.serve import ArrayInput, Refused, Upload, serve
from runyard.tracking.models import read_manifest
from tests.cli.builders import environment
from tests.serve import small_project
from tests.serve.running import Running, free_port, running
from tests.serve.small_project import Input, Output, Row, package, png, price, service

HALF = [[0.5] * 4] * 4


def as_base64(data: bytes) -> str:
    return json.dumps(base64.b64encode(data).decode())


# ---- answers ----


def test_a_file_base64_lists_and_a_form_get_the_same_answer(served: Running) -> None:
    image = png(0.8)
    lists = small_project.read_image(io.BytesIO(image)).tolist()

    answers = [
        served.predict(image, "image/png"),
        served.predict(image, "application/octet-stream"),
        served.predict(as_base64(image)),
        served.predict(json.dumps(f"data:image/png;base64,{base64.b64encode(image).decode()}")),
        served.predict(json.dumps(lists)),
        served.http.post("/predict", files={"file": ("x.png", image, "image/png")}),
    ]

    assert [answer.status_code for answer in answers] == [200] * 6
    assert {answer.text for answer in answers} == {'{"is_bright":true,"brightness":0.800000011920929}'}


def test_several_inputs_are_answered_in_their_order(served: Running) -> None:
    images = [png(level / 20) for level in range(20)]

    answer = served.predict(json.dumps([base64.b64encode(image).decode() for image in images]), path="/predict/batch")
    form = served.http.post("/predict/batch", files=[("file", (f"{n}.png", image)) for n, image in enumerate(images)])

    levels = [each["brightness"] for each in answer.json()]
    assert levels == sorted(levels)
    assert len(levels) == 20
    assert form.json() == answer.json()


def test_a_row_of_a_table_comes_as_an_object_or_a_form(model: Path) -> None:
    with running(service(model, predict=price), until_ready=False) as served:
        assert served.serving.settled.wait(60)  # its golden samples are images, so it can never be ready
        assert served.http.get("/ready").status_code == 503
    interface = service(model, predict=price).interface

    assert interface.one(b'{"length_mm": "3.5"}', "application/json") == Row(length_mm=3.5)
    form = b'--x\r\nContent-Disposition: form-data; name="length_mm"\r\n\r\n3.5\r\n--x--\r\n'
    assert interface.one(form, "multipart/form-data; boundary=x") == Row(length_mm=3.5)
    with pytest.raises(Refused, match="is not taken"):
        interface.one(png(1), "image/png")


# ---- refusals ----


def truncated() -> bytes:
    file = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(file, "PNG")
    return file.getvalue()[:-900]


INFINITE = [json.dumps(HALF).replace("0.5", number, 1).encode() for number in ("1e300", "1e999")]
NO_FILES = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--'

REFUSED: list[tuple[str, bytes, str, int, str]] = [
    ("no JSON", b"{", "application/json", 400, "no JSON"),
    ("nothing", b"", "application/json", 400, "no JSON"),
    ("NaN as JSON", b"[[NaN]]", "application/json", 400, "no JSON"),
    ("infinite after reading", INFINITE[0], "application/json", 422, "infinite"),
    ("larger than any number", INFINITE[1], "application/json", 422, "infinite"),
    ("wrong shape", b"[[0.5]]", "application/json", 422, "The shape is 1 × 1; 4 × 4 is wanted."),
    ("ragged lists", b"[[0.5], [0.5, 1]]", "application/json", 422, "not of equal length"),
    ("empty lists", b"[]", "application/json", 422, "no numbers"),
    ("texts", b'[["a"]]', "application/json", 422, "not all numbers"),
    ("a number too large for any array", b"[[1" + b"0" * 400 + b"]]", "application/json", 422, "not all numbers"),
    ("out of range", json.dumps([[2.0] * 4] * 4).encode(), "application/json", 422, "0 to 1 is wanted"),
    ("an object", b'{"image": 1}', "application/json", 422, "not all numbers"),
    ("null", b"null", "application/json", 422, "not all numbers"),
    ("nested a thousand times", b"[" * 1000 + b"]" * 1000, "application/json", 400, "no JSON"),
    ("no base64", b'"%%%"', "application/json", 422, "no base64"),
    ("half a surrogate", b'"\\ud800"', "application/json", 400, "no JSON"),
    ("no image", b"hello", "image/png", 422, "cannot be read"),
    ("an empty file", b"", "image/png", 422, "is empty"),
    ("a truncated image", truncated(), "image/png", 422, "cannot be read"),
    ("an image of another size", png(1, size=5), "image/png", 422, "The shape is 5 × 5"),
    ("another content type", b"x", "text/csv", 415, "'text/csv' is not taken"),
    ("XML", b"<x/>", "application/xml", 415, "Send one of: application/json"),
    ("a form without boundary", b"x", "multipart/form-data", 400, "no boundary"),
    ("a form that is cut off", b"--x\r\n", "multipart/form-data; boundary=x", 400, "cut off"),
    ("a form without files", NO_FILES, "multipart/form-data; boundary=x", 422, "0 files"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "kind", "status", "said"), [case[1:] for case in REFUSED], ids=[c[0] for c in REFUSED]
)
def test_what_does_not_fit_is_refused_with_a_sentence(
    served: Running, body: bytes, kind: str, status: int, said: str
) -> None:
    answer = served.predict(body, kind)

    assert (answer.status_code, said in answer.json()["error"]) == (status, True), answer.text
    assert answer.json()["error"].endswith((".", ")"))


def test_ten_megabytes_of_json_are_refused(served: Running) -> None:
    answer = served.predict(b"[" + b"0," * 6_000_000 + b"0]")

    assert answer.status_code == 413
    assert answer.json()["error"] == "The request is larger than 10 MB, which is the most that is taken."


def test_a_body_of_unknown_length_is_cut_off_at_the_limit(model: Path) -> None:
    with running(service(model, largest_mb=0.01)) as served:
        answer = served.http.post("/predict", content=(b"0" * 1000 for _ in range(100)))

    assert answer.status_code == 413


def test_an_image_that_claims_to_be_huge_is_refused_before_it_is_unpacked(served: Running) -> None:
    file = io.BytesIO()
    Image.new("1", (8_000, 8_000)).save(file, "PNG")

    answer = served.predict(file.getvalue(), "image/png")

    assert answer.status_code == 422
    assert "cannot be read" in answer.json()["error"]


def test_the_place_of_a_problem_is_named(model: Path) -> None:
    interface = service(model, predict=price).interface

    with pytest.raises(Refused) as refused:
        interface.many(b'[{"length_mm": 1}, {"length_mm": -1, "kind": 3}]', "application/json")

    assert [problem.place for problem in refused.value.problems] == ["[1].length_mm", "[1].kind"]
    with pytest.raises(Refused, match="length_mm: The number is NaN"):
        interface.one(b'{"length_mm": "inf"}', "application/json")


BODIES = st.one_of(
    st.binary(max_size=200),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode()),
)
KINDS = st.sampled_from(
    ["application/json", "image/png", "multipart/form-data; boundary=x", "text/plain", "", "a/b+json"]
)


@settings(max_examples=60)
@given(body=BODIES, kind=KINDS, path=st.sampled_from(["/predict", "/predict/batch"]))
def test_whatever_comes_is_no_fault_of_the_service(served: Running, body: bytes, kind: str, path: str) -> None:
    answer = served.predict(body, kind, path)

    assert 200 <= answer.status_code < 500, (body, kind, answer.text)


def test_a_model_that_cannot_take_an_input_costs_the_others_nothing(model: Path) -> None:
    def predict_some(model: Any, inputs: list[Input]) -> list[Output]:
        if any(image[0, 0] > 0.9 for image in inputs):
            raise ValueError("too bright for me")
        return small_project.predict(model, inputs)

    computer_inputs = json.dumps([HALF, [[0.1] * 4] * 4])
    with running(service(package_without_bright(model), predict=predict_some)) as served:
        good = served.predict(computer_inputs, path="/predict/batch")
        bad = served.predict(json.dumps([HALF, [[1.0] * 4] * 4]), path="/predict/batch")

    assert good.status_code == 200
    assert bad.status_code == 422
    assert bad.json()["error"] == "[1]: The model cannot take this input: too bright for me"


def package_without_bright(model: Path) -> Path:
    """The weights alone: a golden image is bright."""
    return model.parent / "saved"


def test_an_answer_that_is_no_number_is_refused(model: Path) -> None:
    def lost(model: Any, inputs: list[Input]) -> list[Output]:
        return [Output(is_bright=True, brightness=float("nan")) for _ in inputs]

    with running(service(package_without_bright(model), predict=lost)) as served:
        answer = served.predict(json.dumps(HALF))

    assert answer.status_code == 422
    assert "NaN or infinity in 'brightness'" in answer.json()["error"]


def test_a_defect_of_the_project_is_500_and_told_on_its_output(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(model: Any, inputs: list[Input]) -> list[Output]:
        return []

    with running(service(package_without_bright(model), predict=broken)) as served:
        answer = served.predict(json.dumps(HALF))

    assert answer.status_code == 500
    assert "predict gave 0 outputs for 1 inputs" in capsys.readouterr().err


# ---- the data contract ----


class Contract:
    """As data contracts are: it finds problems with a place and a sentence."""

    def problems(self, value: Any) -> list[Any]:
        if value.max() - value.min() > 0:
            return []
        return [type("Found", (), {"place": "image", "sentence": "All pixels are equal."})()]


class Sentence(NamedTuple):
    place: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.place} {self.sentence}"


def told_whole(value: Any) -> list[Sentence]:
    return [] if value.max() > value.min() else [Sentence("image", "is of one colour.")]


def flat(value: Any) -> list[str]:
    return [] if value.max() > value.min() else ["All pixels are equal."]


@pytest.mark.parametrize(
    ("contract", "said"),
    [
        (Contract(), "image: All pixels are equal."),
        (flat, "All pixels are equal."),
        (told_whole, "image is of one colour."),
    ],
)
def test_input_that_breaks_the_data_contract_is_refused_with_the_reason(model: Path, contract: Any, said: str) -> None:
    with running(service(package_without_bright(model), contract=contract)) as served:
        bad = served.predict(json.dumps(HALF))
        good = served.predict(json.dumps([[0.1, 0.2, 0.3, 0.4]] * 4))

    assert bad.status_code == 422
    assert bad.json()["error"] == f"The input does not fit. {said}"
    assert good.status_code == 200


def test_an_array_keeps_what_the_data_contract_declares(model: Path) -> None:
    declared = ArrayInput(Array(("n", 4, 4), dtype="float32", range=(0, 1)).one, read=small_project.read_image)

    assert declared.take(HALF).shape == (4, 4)
    for bad, said in (
        ([[0.5]], r"The input has the shape .*4, 4.* is declared"),
        ([[2.0] * 4] * 4, r"The input goes from 2 to 2, and 0 to 1 is declared: 16 of 16 values lie outside"),
        ([[float("nan")] * 4] * 4, "The input has 16 missing values"),
    ):
        with pytest.raises(ValueError, match=said):
            declared.take(bad)
    assert TypeAdapter(Annotated[small_project.Pixels, declared]).json_schema()["anyOf"][1]["maxItems"] == 4


# ---- ready or not ----


def test_it_is_alive_but_not_ready_while_the_model_is_loaded(model: Path) -> None:
    may_load = threading.Event()

    def load_slowly(path: Path, device: str) -> Any:
        assert may_load.wait(60)
        return small_project.load(path, device)

    with running(service(model, load=load_slowly), until_ready=False) as served:
        live, ready, answer = served.http.get("/live"), served.http.get("/ready"), served.predict(json.dumps(HALF))
        may_load.set()
        assert served.serving.settled.wait(60)
        later = served.http.get("/ready")

    assert (live.status_code, ready.status_code, answer.status_code, later.status_code) == (200, 503, 503, 200)
    assert answer.headers["Retry-After"] == "1"
    assert later.json() == {"ready": True, "golden_samples": 3}


def test_it_is_never_ready_with_another_model_than_the_golden_one(model: Path, tmp_path: Path) -> None:
    def load_another(path: Path, device: str) -> Any:
        return {"factor": np.float64(1.01)}

    with running(service(model, load=load_another)) as served:
        answer = served.http.get("/ready")
        refused = served.predict(json.dumps(HALF))

    assert answer.status_code == refused.status_code == 503
    assert "2 of 3 golden samples got another answer" in answer.json()["error"]
    assert "Retry-After" not in refused.headers


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "model.npz").write_bytes(b"x"), "was changed or damaged"),
        (lambda folder: (folder / "golden" / "grey-0.4.png").unlink(), "is not there"),
        (lambda folder: (folder / "model.pkl").write_bytes(b"x"), "may be a pickle"),
        (lambda folder: (folder / "manifest.json").unlink(), "holds no model"),
    ],
)
def test_a_damaged_package_is_told_and_not_loaded(tmp_path: Path, damage: Any, said: str) -> None:
    folder = package(tmp_path)
    damage(folder)

    def never(path: Path, device: str) -> Any:
        raise AssertionError("it was loaded")

    with running(service(folder, load=never)) as served:
        answer = served.http.get("/ready")

    assert answer.status_code == 503
    assert said in answer.json()["error"]


def test_a_missing_folder_and_a_load_that_raises_are_told(model: Path) -> None:
    def load_badly(path: Path, device: str) -> Any:
        raise OSError("no such GPU")

    with running(service(model / "nowhere")) as served:
        missing = served.http.get("/ready").json()["error"]
    with running(service(model, load=load_badly)) as served:
        raised = served.http.get("/ready").json()["error"]

    assert "There is no model folder" in missing
    assert raised == "The model cannot be loaded: OSError: no such GPU"


# ---- under load ----


class Gate:
    """A predict that waits to be let through, and remembers the sizes of its batches."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.entered = threading.Semaphore(0)
        self.opened = threading.Semaphore(0)

    def predict(self, model: Any, inputs: list[Input]) -> list[Output]:
        self.sizes.append(len(inputs))
        self.entered.release()
        assert self.opened.acquire(timeout=30)
        return small_project.predict(model, inputs)


def test_it_is_alive_while_the_model_computes_and_batches_what_comes_meanwhile(model: Path) -> None:
    gate = Gate()
    levels = [n / 10 for n in range(6)]
    slow = service(package_without_bright(model), predict=gate.predict, batch=(4, 0.02))
    with running(slow) as served, ThreadPoolExecutor(8) as pool:
        first = pool.submit(served.predict, json.dumps(HALF))
        assert gate.entered.acquire(timeout=30)
        assert served.http.get("/live").status_code == 200
        others = [pool.submit(served.predict, json.dumps([[level] * 4] * 4)) for level in levels]
        wait_until_waiting(served, 6)
        gate.opened.release(8)
        answers = [other.result() for other in others]

    assert first.result().json()["brightness"] == 0.5
    assert [answer.json()["brightness"] for answer in answers] == pytest.approx(levels)
    assert gate.sizes == [1, 4, 2]


def wait_until_waiting(served: Running, count: int) -> None:
    """Ask until so many inputs wait for the model: each question is a round through the event loop."""
    for _ in range(10_000):
        if f"runyard_waiting {count}\n" in served.http.get("/metrics").text:
            return
    raise AssertionError(served.http.get("/metrics").text)


def test_more_than_may_wait_are_sent_away_for_some_seconds(model: Path) -> None:
    gate = Gate()
    slow = service(package_without_bright(model), predict=gate.predict, most_waiting=2, batch=(1, 0))
    with running(slow) as served, ThreadPoolExecutor(4) as pool:
        taken = [pool.submit(served.predict, json.dumps(HALF))]
        assert gate.entered.acquire(timeout=30)
        taken += [pool.submit(served.predict, json.dumps(HALF)) for _ in range(2)]
        wait_until_waiting(served, 2)
        refused = served.predict(json.dumps(HALF))
        gate.opened.release(3)

    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.json()["error"].startswith("2 inputs wait for the model already.")
    assert [each.result().status_code for each in taken] == [200, 200, 200]


MAIN = """
import os, sys
from tests.serve.small_project import Input, Output, load, predict
from runyard.serve import serve

def slow(model: object, inputs: list[Input]) -> list[Output]:
    if inputs[0][0, 0] == 0.5:
        os.write(int(sys.argv[1]), b"x")
        os.read(int(sys.argv[2]), 1)
    return predict(model, inputs)

serve(load, slow, model=sys.argv[3]).cli(["serve", "--port", sys.argv[4]])
"""


def test_sigterm_finishes_what_is_in_flight(model: Path, tmp_path: Path) -> None:
    entered, tells = os.pipe()
    waits, go_on = os.pipe()
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, str(tells), str(waits), str(model), str(port)],
        cwd=Path(__file__).parents[2],
        env=environment(tmp_path, PYTHONPATH="src:."),
        pass_fds=(tells, waits),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until_ready(port)
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(httpx.post, f"http://127.0.0.1:{port}/predict", json=HALF, trust_env=False, timeout=60)
            assert os.read(entered, 1) == b"x"
            process.send_signal(signal.SIGTERM)
            wait_until_nobody_listens(port)
            os.write(go_on, b"x")
            assert answer.result().json() == {"is_bright": False, "brightness": 0.5}
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.communicate()
        for each in (entered, tells, waits, go_on):
            os.close(each)


def wait_until_nobody_listens(port: int) -> None:
    for _ in range(100_000):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=10).close()
        except OSError:
            return
    raise AssertionError("it still takes connections")


def wait_until_ready(port: int) -> None:
    """Ask until it is; every question waits for the connection, so this does not spin for long."""
    asked = [sys.executable, "-m", "runyard.serve.probe", "--port", str(port)]
    for _ in range(100):
        if subprocess.run(asked, capture_output=True, env=environment(Path.cwd()), check=False).returncode == 0:
            return
    raise AssertionError("it never became ready")


# ---- about itself ----


def test_metrics_are_open_metrics(model: Path) -> None:
    with running(service(model)) as served:
        for level in (0.2, 0.4):
            served.predict(png(level), "image/png")
        served.predict(b"x", "text/plain")
        answer = served.http.get("/metrics")

    lines = answer.text.splitlines()
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert lines[-1] == "# EOF"
    assert all(re.fullmatch(r'# (TYPE|HELP|EOF).*|\w+({(\w+="[^"]*",?)+})? \S+', line) for line in lines)
    assert 'runyard_requests_total{path="/predict",status="200"} 2' in lines
    assert 'runyard_requests_total{path="/predict",status="415"} 1' in lines
    assert 'runyard_request_seconds_bucket{le="+Inf"} 3' in lines
    (total,) = [float(line.split()[1]) for line in lines if line.startswith("runyard_output_sum")]
    assert total == pytest.approx(0.6, abs=0.01)
    assert "runyard_ready 1" in lines
    assert f'model="{read_manifest(model).id}"' in answer.text


def test_version_tells_which_model_answers_and_where_it_comes_from(served: Running, model: Path) -> None:
    about = served.http.get("/version").json()

    assert about["model"] == read_manifest(model).id
    assert (about["run"], about["commit"], about["project"], about["title"]) == ("8fk2aaaaaa", "abc", "weld", "weld")


def test_the_document_describes_input_output_and_refusals_and_loads_nothing_from_elsewhere(served: Running) -> None:
    document = served.http.get("/openapi.json").json()
    predict = document["paths"]["/predict"]["post"]

    assert list(predict["requestBody"]["content"]) == ["application/json", "multipart/form-data", "image/*"]
    assert "brightness" in predict["responses"]["200"]["content"]["application/json"]["schema"]["properties"]
    assert {"400", "413", "415", "422", "503"} < set(predict["responses"])
    assert served.http.get("/docs").status_code == 404
    assert served.http.get("/docs").json() == {"error": "There is nothing at this path; GET / lists what there is."}
    assert served.http.get("/predict").json() == {
        "error": "GET is not answered at this path; GET / lists what is.",
    }
    assert served.http.get("/predict").headers["allow"] == "POST"
    assert "/predict" in served.http.get("/").text


def test_references_of_the_document_lead_somewhere(model: Path) -> None:
    class Nested(BaseModel):
        row: Row

    def predict(model: Any, inputs: list[Nested]) -> list[Output]:
        return []

    predict.__annotations__ = {"inputs": list[Nested], "return": list[Output]}
    document = json.dumps(serve(small_project.load, predict, model=model).asgi.openapi())

    names = set(re.findall(r"#/components/schemas/(\w+)", document))
    assert "Row" in names
    assert names <= set(json.loads(document)["components"]["schemas"])


def test_a_predict_without_annotations_is_refused_with_the_line_to_write() -> None:
    def predict(model, inputs):  # type: ignore[no-untyped-def]
        return inputs

    with pytest.raises(
        UsageError, match=r"Write: def predict\(model: Model, inputs: list\[Input\]\) -> list\[Output\]"
    ):
        _ = serve(small_project.load, predict).interface


def test_an_input_that_cannot_be_checked_is_refused_by_name() -> None:
    def predict(model: Any, inputs: list[threading.Thread]) -> list[Output]:
        return []

    with pytest.raises(UsageError, match=r"Thread.*cannot be checked"):
        _ = serve(small_project.load, predict).interface


def test_an_upload_reads_as_its_name_in_a_message() -> None:
    assert f"{Upload(b'x', 'weld.png')} has 3 pixels" == "weld.png has 3 pixels"


def test_a_batch_waits_for_requests_that_are_arriving_and_not_for_nobody() -> None:
    from runyard.serve.batching import Answer, Batcher

    sizes: list[int] = []

    def compute(values: list[object]) -> list[Answer]:
        sizes.append(len(values))
        return [b"1" for _ in values]

    async def story() -> None:
        batcher = Batcher(compute, size=8, wait_s=60, most_waiting=100)
        await batcher.submit([1])  # nobody is arriving: at once
        batcher.arriving = 1
        waiting = asyncio.create_task(batcher.submit([1, 2]))
        await asyncio.sleep(0)
        assert sizes == [1]
        batcher.arriving = 0
        await asyncio.gather(waiting, batcher.submit([3]))
        batcher.close()

    with ThreadPoolExecutor(1) as thread:  # the browser of other tests has a loop in this one
        thread.submit(asyncio.run, story()).result()
    assert sizes == [1, 3]
