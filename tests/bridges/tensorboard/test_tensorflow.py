"""Files that TensorFlow wrote, in its new and its old form, beside what its own reader found in them.

They are kept in `written/`. RUNYARD_TENSORFLOW names an interpreter that has tensorflow-cpu and tensorboard: then they
are written anew and read, too.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runyard.bridges.tensorboard.importing import import_folder
from runyard.client import Client, open_client
from runyard.client.runs import read_media
from runyard.index import RunRow

HERE = Path(__file__).parent


@pytest.fixture(params=["kept", "written now"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "kept":
        return shutil.copytree(HERE / "written", tmp_path / "logs")
    python = os.environ.get("RUNYARD_TENSORFLOW")
    if not python:
        pytest.skip("RUNYARD_TENSORFLOW names no interpreter with TensorFlow")
    program = HERE / "write_with_tensorflow.py"
    subprocess.run([python, program, tmp_path / "logs"], check=True, capture_output=True, timeout=240)
    return tmp_path / "logs"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with closing(open_client(tmp_path / "home")) as client:
        yield client


def test_what_tensorflow_wrote_is_read_as_it_reads_it(client: Client, written: Path) -> None:
    report = import_folder(client, written, project="old")

    assert report.skipped == []
    by_name = {row.name: row for row in client.index.find()}
    expected = json.loads((written / "expected.json").read_text())
    assert {name: points_of(client, row) for name, row in by_name.items()} == expected
    assert media_of(client, by_name["keras/train"]) == {
        ("histogram", f"sequential/line/{of}/histogram", epoch) for of in ("kernel", "bias") for epoch in (0, 1)
    }
    assert media_of(client, by_name["new"]) == {
        ("image", "picture", 1),
        ("image", "picture/1", 1),
        ("histogram", "weights", 2),
        ("text", "sample", 3),
    }
    assert by_name["new"].config == {"lr": 0.1, "layers": 3, "kind": "adam", "deep": True}
    assert media_of(client, by_name["old"]) == {("image", "picture/image/0", 2), ("histogram", "weights", 2)}
    for name in ("new", "old"):
        (weights,) = (place for place in client.index.media(by_name[name].id) if place.key == "weights")
        assert sum(json.loads(read_media(client, weights).data)["counts"]) == 60


def points_of(client: Client, row: RunRow) -> dict[str, list[list[float]]]:
    found = {}
    for key in client.index.keys(row.id):
        series = client.index.series(row.id, key)
        found[key] = [list(point) for point in zip(series.steps.tolist(), series.values.tolist(), strict=True)]
    return found


def media_of(client: Client, row: RunRow) -> set[tuple[str, str, int]]:
    return {(place.kind, place.key, place.step) for place in client.index.media(row.id)}
