"""Model packages: a folder that says where a model comes from and proves itself; and conversion, with proof."""

import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from runyard.delivery import PackageOrder, make_package
from runyard.errors import ServiceError, UsageError
from runyard.serve import ArrayInput
from runyard.serve.golden import Tolerance, differences, read_samples
from runyard.tracking.models import load_model, read_manifest, save_model, verify_files
from tests.cli.builders import environment
from tests.serve.small_project import Row, inference, package, png, price, service

Features = Annotated[NDArray[np.float32], ArrayInput(shape=(4,))]


def test_a_package_holds_weights_manifest_golden_samples_and_card(tmp_path: Path) -> None:
    folder = package(tmp_path)

    manifest = read_manifest(folder)
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert names == [
        "MODEL_CARD.md",
        "golden/grey-0.0.png",
        "golden/grey-0.4.png",
        "golden/grey-1.0.png",
        "golden/samples.json",
        "manifest.json",
        "model.npz",
    ]
    assert sorted(manifest.files) == [name for name in names if name != "manifest.json"]
    assert (manifest.threshold, manifest.metrics["val/accuracy"]["max"]) == (0.5, 0.95)
    assert manifest.interface["output"]["required"] == ["is_bright", "brightness"]
    verify_files(folder, manifest)


def test_a_card_tells_people_what_the_manifest_tells_programs(tmp_path: Path) -> None:
    card = (package(tmp_path) / "MODEL_CARD.md").read_text()

    assert "| val/accuracy | 0.9 | 0.1 | 0.95 |" in card
    assert '| grey-0.0.png | {"is\\_bright": false' in card
    assert re.search(r"\| model\.npz \| \d+ \| [0-9a-f]{64} \|", card)


def test_text_of_people_is_no_markup_in_a_card(tmp_path: Path) -> None:
    folder = package(tmp_path)
    order = PackageOrder(
        model=folder,
        inference=inference(),
        samples=tmp_path / "samples",
        origin={"project": "a\n# b", "name": "<script>|x|</script> [l](http://h)"},
    )

    card = (make_package(order, tmp_path / "again").folder / "MODEL_CARD.md").read_text()

    assert card.startswith("# a \\# b\n")
    assert "\\<script\\>\\|x\\|" in card


def test_packing_again_keeps_the_identity_of_the_model(tmp_path: Path) -> None:
    folder = package(tmp_path)
    order = PackageOrder(model=folder, inference=inference(), samples=tmp_path / "samples", most_samples=2)

    again = make_package(order, tmp_path / "again")

    assert again.manifest.id == read_manifest(folder).id
    assert [sample.request for sample in again.samples.samples] == ["grey-0.0.png", "grey-1.0.png"]


def test_samples_of_one_name_or_a_hostile_one_get_names_of_their_own(tmp_path: Path) -> None:
    samples = tmp_path / "samples"
    for number, name in enumerate(["a/x.png", "b/x.png", "b/x;rm -rf $HOME.png", "b/x\n0  y.png", "Straße (1).png"]):
        (samples / name).parent.mkdir(parents=True, exist_ok=True)
        (samples / name).write_bytes(png(number / 5))

    save_model({"factor": np.float64(1)}, tmp_path / "saved")
    asked = PackageOrder(model=tmp_path / "saved", inference=inference(), samples=samples)

    packed = make_package(asked, tmp_path / "packed")

    names = [sample.request for sample in packed.samples.samples]
    assert sorted(names) == ["003.png", "004.png", "005.png", "Straße (1).png", "x.png"]
    assert service(tmp_path / "packed").run(["check"]) == 0


def test_rows_of_a_table_become_golden_requests(tmp_path: Path) -> None:
    save_model({"factor": np.float64(2)}, tmp_path / "saved")
    (tmp_path / "rows.csv").write_text("length_mm,kind\n1.5,plain\n3,round\n")

    order = PackageOrder(model=tmp_path / "saved", inference=inference(price), samples=tmp_path / "rows.csv")
    packed = make_package(order, tmp_path / "package")

    assert [sample.answer for sample in packed.samples.samples] == [{"euros": 3.0}, {"euros": 6.0}]
    assert Row.model_validate_json((packed.folder / "golden" / "002.json").read_bytes()).kind == "round"
    assert service(packed.folder, predict=price).run(["check"]) == 0


def test_a_model_folder_with_a_pickle_is_refused(tmp_path: Path) -> None:
    folder = package(tmp_path)
    (folder / "old.joblib").write_bytes(b"")

    with pytest.raises(ServiceError, match=r"old\.joblib may be a pickle"):
        make_package(PackageOrder(model=folder, inference=inference(), samples=tmp_path), tmp_path / "new")


@pytest.mark.parametrize(("samples", "said"), [("nowhere", "no samples at"), ("saved", "holds nothing that")])
def test_without_samples_there_is_no_proof_and_no_package(tmp_path: Path, samples: str, said: str) -> None:
    folder = package(tmp_path)

    with pytest.raises(UsageError, match=said):
        make_package(PackageOrder(model=folder, inference=inference(), samples=tmp_path / samples), tmp_path / "new")

    assert not (tmp_path / "new").exists()
    assert not list(tmp_path.glob(".new*"))


def test_a_folder_that_exists_is_not_written_into(tmp_path: Path) -> None:
    folder = package(tmp_path)

    with pytest.raises(UsageError, match="exists already"):
        make_package(PackageOrder(model=folder, inference=inference(), samples=tmp_path / "samples"), folder)


def test_numbers_agree_within_a_tolerance_and_everything_else_exactly() -> None:
    tolerance = Tolerance(absolute=1e-6, relative=1e-3)

    assert differences({"a": [1.0, "x", None]}, {"a": [1.0009, "x", None]}, tolerance) == []
    assert differences({"a": [1.0]}, {"a": [1.1]}, tolerance) == ["a[0] is 1.1, not 1.0"]
    assert differences({"a": 1}, {"b": 1}, tolerance) == ["the answer has the fields b, not a"]
    assert differences([1], [1, 2], tolerance) == ["the answer has 2 parts, not 1"]
    assert differences(True, 1, tolerance) == ["the answer is 1, not True"]
    assert differences("a", "b", tolerance) == ["the answer is 'b', not 'a'"]


def test_a_list_of_samples_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    folder = package(tmp_path)
    listed = folder / "golden" / "samples.json"
    document = json.loads(listed.read_text())
    document["samples"][0]["request"] = "../manifest.json"
    listed.write_text(json.dumps(document))

    with pytest.raises(ServiceError, match="does not lie beside it"):
        read_samples(folder)


# ---- ONNX ----


def classify(model: Any, inputs: list[Features]) -> list[int]:
    return [int(label) for label in model.predict_proba(np.stack(inputs)).argmax(axis=1)]


def scores(model: Any, inputs: list[Features]) -> list[list[float]]:
    return [list(map(float, row)) for row in model(np.stack(inputs))]


def project(predict: Any, load: Any) -> ModuleType:
    module = ModuleType("src.inference")
    vars(module).update(load=load, predict=predict)
    return module


def order(tmp_path: Path, module: ModuleType, **more: Any) -> PackageOrder:
    numbers = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
    (tmp_path / "rows.json").write_text(json.dumps(numbers.tolist()))
    return PackageOrder(model=tmp_path / "saved", inference=module, samples=tmp_path / "rows.json", **more)


@pytest.mark.slow
def test_a_classifier_is_converted_and_computes_the_same(tmp_path: Path) -> None:
    linear = pytest.importorskip("sklearn.linear_model", reason="runyard[sklearn] is not installed")
    pytest.importorskip("skl2onnx", reason="runyard[onnx] is not installed")
    inputs = np.random.default_rng(1).normal(size=(50, 4)).astype(np.float32)
    save_model(linear.LogisticRegression().fit(inputs, inputs[:, 0] > 0), tmp_path / "saved")

    packed = make_package(
        order(tmp_path, project(classify, lambda path, device: load_model(path)), is_onnx=True), tmp_path / "package"
    )

    assert packed.manifest.framework == "onnx"
    assert packed.manifest.parity["largest_difference"] < 1e-5
    assert (packed.folder / "model.onnx").is_file()
    assert not (packed.folder / "model.skops").exists()
    assert "Converted to ONNX (opset 18)" in (packed.folder / "MODEL_CARD.md").read_text()


@pytest.mark.slow
@pytest.mark.torch
def test_a_module_is_converted_by_what_predict_feeds_it(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="runyard[torch] is not installed")
    pytest.importorskip("onnxscript", reason="runyard[onnx] is not installed")
    torch.manual_seed(0)

    def build() -> Any:
        return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))

    save_model(build(), tmp_path / "saved")

    def load(path: Path, device: str) -> Any:
        return load_model(path, into=build() if (path / "model.safetensors").exists() else None, device=device)

    packed = make_package(order(tmp_path, project(scores, load), is_onnx=True), tmp_path / "package")

    assert packed.manifest.parity["samples"] == 8
    assert packed.manifest.parity["largest_difference"] < 1e-5
    assert len(load(packed.folder, "cpu")(np.zeros((5, 4), np.float32))) == 5  # another batch than was converted with


LOAD = """
import sys
from pathlib import Path
from runyard.tracking.models import load_model
import numpy as np
print(load_model(Path(sys.argv[1]))(np.zeros((2, 3), np.float32)).tolist())
"""


def test_a_model_in_onnx_is_computed_without_a_trace_for_its_makers(tmp_path: Path) -> None:
    helper = pytest.importorskip("onnx.helper", reason="runyard[onnx] is not installed")
    pytest.importorskip("onnxruntime", reason="runyard[onnx] is not installed")
    number = helper.make_tensor_value_info("x", 1, ["n", 3])
    result = helper.make_tensor_value_info("y", 1, ["n", 3])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "same", [number], [result])
    opset = helper.make_opsetid("", 18)
    save_model(helper.make_model(graph, opset_imports=[opset], ir_version=9), tmp_path / "model")
    home = tmp_path / "home"
    home.mkdir()

    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(tmp_path / "model")],
        env=environment(tmp_path, HOME=str(home), XDG_CACHE_HOME=str(home)),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == "[[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]\n", done.stderr
    assert list(home.rglob("*")) == []
    assert "telemetry" not in done.stderr


def test_a_model_that_nobody_can_convert_is_told(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="runyard[onnx] is not installed")
    save_model({"w": np.zeros(3)}, tmp_path / "saved")
    module = project(scores, lambda path, device: lambda rows: rows)

    with pytest.raises(UsageError, match="only torch and sklearn can"):
        make_package(order(tmp_path, module, is_onnx=True), tmp_path / "package")
