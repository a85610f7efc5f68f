"""Predictions of an evaluation set: what a training hands over, the file, and what is read back."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runyard.errors import FormatUnknown, NotFound, ServiceError, UsageError
from runyard.journal import RunFolder
from runyard.journal.events import FileLogged, Warned
from runyard.tracking import Run
from runyard.tracking.predictions import (
    FILE,
    Task,
    collect,
    collect_boxes,
    read_predictions,
    thumbnails,
    write_predictions,
)
from tests.tracking.journals import events_in


def kept(run_dir: Path) -> Path:
    return RunFolder(run_dir).attempt(1).files / FILE


def test_what_was_logged_is_read_back(run: Run, run_dir: Path) -> None:
    source = np.random.default_rng(0)
    scores = source.dirichlet([1, 1, 1], 30).astype(np.float32)
    targets = source.integers(0, 3, 30)

    run.log_predictions(
        targets, scores=scores, labels=["a", "b", "c"], paths=[f"{i}.png" for i in range(30)], ms=np.arange(30.0)
    )

    found = read_predictions(kept(run_dir))
    assert found.task is Task.CLASSIFICATION
    assert found.labels == ("a", "b", "c")
    assert np.array_equal(found.targets, targets)
    assert np.array_equal(found.predictions, scores.argmax(axis=1))
    assert found.scores is not None
    assert np.array_equal(found.scores, scores)
    assert found.ids == found.paths == tuple(f"{i}.png" for i in range(30))
    assert found.ms is not None
    assert found.ms.tolist() == list(range(30))
    (event,) = events_in(run_dir, FileLogged)
    assert (event.name, event.kind, event.meta) == (
        "predictions.npz",
        "predictions",
        {"task": "classification", "samples": 30, "classes": 3},
    )


def test_tensors_are_taken_as_they_are(run: Run, run_dir: Path) -> None:
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    logits = torch.tensor([[2.0, 0.0], [0.0, 1.0]], requires_grad=True)

    run.log_predictions(torch.tensor([0, 0]), scores=logits.softmax(dim=1), images=torch.rand(2, 3, 8, 9))

    found = read_predictions(kept(run_dir))
    assert found.predictions.tolist() == [0, 1]
    assert len(found.thumbnails) == 2


def test_one_score_a_sample_belongs_to_the_second_of_two_classes() -> None:
    found = collect(["ok", "defect", "ok"], scores=[0.2, 0.4, 0.6], labels=["ok", "defect"])

    assert found.predictions.tolist() == [0, 0, 1]
    assert found.scored_labels == (1,)
    assert found.wrongness == pytest.approx([0, 0.2, 0.2])


def test_values_make_a_regression() -> None:
    found = collect([1.0, 2.0], [1.5, 2.0])

    assert (found.task, found.labels, found.wrongness.tolist()) == (Task.REGRESSION, (), [0.5, 0])


def test_times_make_a_forecast_and_are_its_ids() -> None:
    found = collect([1.0, 2.0], [1.5, 2.0], times=np.array([1999, 2000]))

    assert (found.task, found.ids, found.has_values) == (Task.FORECAST, ("1999", "2000"), True)


def test_boxes_are_read_back_with_the_size_of_their_images(run: Run, run_dir: Path) -> None:
    wanted = [np.array([[1, 2, 2, 8, 8]], np.float32), np.zeros((0, 5), np.float32)]
    found_boxes = [[[1, 2, 2, 8, 9, 0.9], [0, 0, 0, 3, 3, 0.1]], []]

    run.log_detections(wanted, found_boxes, labels=["pore", "crack"], images=np.zeros((2, 10, 12)))

    found = read_predictions(kept(run_dir))
    assert found.detection is not None
    assert (found.task, found.targets.tolist(), found.predictions.tolist()) == (Task.DETECTION, [1, 0], [1, 0])
    assert found.detection.sizes.tolist() == [[12, 10], [12, 10]]
    assert found.detection.found.corners.tolist() == [[2, 2, 8, 9], [0, 0, 3, 3]]
    assert found.take([1, 0]).detection.wanted.counts.tolist() == [0, 1]  # type: ignore[union-attr]
    assert found.is_right.tolist() == [True, True]


def test_features_are_kept_and_give_ids_that_other_runs_find() -> None:
    features = {"alcohol": np.array([13.2, 11.0, 11.0]), "grower": ["a", "b", "b"]}

    found = collect([0, 1, 1], scores=[0.1, 0.9, 0.8], features=features)

    assert found.frame()["grower"] == ["a", "b", "b"]
    assert found.ids == collect([1, 1, 1], scores=[0.4, 0.9, 0.8], features=features).ids
    assert found.ids[2] == f"{found.ids[1]}-2"


@pytest.mark.parametrize(
    ("wanted", "found", "message"),
    [
        ([[[0, 1, 1, 5]]], [[]], "The boxes of image 0 have the shape"),
        ([[]], [[[2, 1, 1, 5, 5, 0.5]]], "Boxes are of the classes 2 to 2, but there are 2 labels"),
        ([[]], [[], []], "There are 1 targets, but 2 found"),
        ([], [], "0 images cannot be kept"),
    ],
)
def test_boxes_that_do_not_fit_are_refused_with_the_reason(wanted: Any, found: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        collect_boxes(wanted, found, labels=["pore", "crack"])


def test_ids_come_from_the_content_of_images_so_that_other_runs_find_the_same_samples() -> None:
    images = np.random.default_rng(0).random((4, 8, 8), np.float32)
    images[3] = images[0]

    one = collect([0, 1, 0, 0], [0, 1, 1, 0], images=images)
    other = collect([0, 1], [0, 1], images=images[[1, 2]])

    assert other.ids == one.ids[1:3]
    assert one.ids[3] == f"{one.ids[0]}-2"


def test_the_worst_answers_get_thumbnails_where_there_are_many() -> None:
    wrongness = np.zeros(10_000)
    wrongness[[5, 77, 9_999]] = 1.0

    chosen = thumbnails.chosen(wrongness)

    assert {5, 77, 9_999} < set(chosen)
    assert len(chosen) <= thumbnails.MOST
    assert max(np.diff(chosen[300:])) < 400  # the others are spread over all


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((900, 700, 3), (180, 140)), ((8, 8), (8, 8)), ((3, 1000), (1, 142)), ((200, 100), (100, 50))],
)
def test_thumbnails_are_small_and_keep_their_shape(shape: tuple[int, ...], expected: tuple[int, int]) -> None:
    images = pytest.importorskip("PIL.Image", reason="Pillow comes with Matplotlib")
    data = thumbnails.of_image(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))

    width, height = images.open(io.BytesIO(data)).size
    assert max(height, width) <= thumbnails.SIDE
    assert height / width == pytest.approx(expected[0] / expected[1], rel=0.05)
    assert thumbnails.mime_of(data)


def test_files_give_thumbnails_and_what_is_no_image_gives_none(tmp_path: Path) -> None:
    images = pytest.importorskip("PIL.Image", reason="Pillow comes with Matplotlib")
    images.new("RGB", (600, 300), "red").save(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_bytes(b"no image")
    paths = [str(tmp_path / name) for name in ("a.jpg", "b.jpg", "missing.jpg")]

    found = collect([0, 1, 1], [0, 1, 0], paths=paths)

    assert list(found.thumbnails) == [0]


def test_a_page_shows_images_only() -> None:
    assert thumbnails.mime_of(b"<svg onload=alert(1)>") == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"targets": []}, "0 targets cannot be kept"),
        ({"targets": [0, 1]}, "needs predictions or scores"),
        ({"targets": [0, 1], "predictions": [0]}, "2 targets, but 1 predictions"),
        ({"targets": [0, 1], "scores": [0.1, float("nan")]}, "NaN or infinite"),
        ({"targets": [0, 1], "scores": [[0.1], [0.2], [0.3]]}, r"shape \(2, classes\)"),
        ({"targets": [0, 2], "predictions": [0, 1], "labels": ["a", "b"]}, "0 to 2, but there are 2 labels"),
        ({"targets": ["a", "x"], "predictions": ["a", "a"], "labels": ["a", "b"]}, "'x' is not among the labels a, b"),
        ({"targets": [0, 1, 2], "scores": [0.1, 0.2, 0.3]}, "tells two classes apart, but there are 3"),
        ({"targets": [0, 1], "predictions": [0, 1], "ids": ["a", "a"]}, "'a' stands there more than once"),
        ({"targets": [0.5, 1.0], "predictions": [float("nan"), 1.0]}, "NaN or infinite"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        collect(**arguments)


def test_predictions_that_do_not_fit_do_not_end_a_training(run: Run, run_dir: Path) -> None:
    run.log_predictions([0, 1], [0])

    (warning,) = events_in(run_dir, Warned)
    assert "2 targets, but 1 predictions" in warning.text
    assert not kept(run_dir).exists()


def test_samples_can_be_left_out() -> None:
    found = collect([0, 1, 1], scores=[0.1, 0.2, 0.9], ids=["a", "b", "c"], images=np.zeros((3, 4, 4), np.uint8))

    rest = found.without(["a", "unknown"])

    assert rest.ids == ("b", "c")
    assert rest.is_right.tolist() == [False, True]
    assert list(rest.thumbnails) == [0, 1]


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / FILE
    write_predictions(collect([0, 1], [0, 1], ids=["a", "b"]), path)
    whole = path.read_bytes()
    with np.load(path) as file:
        arrays = dict(file)

    path.write_bytes(whole[:-50])
    with pytest.raises(ServiceError, match="cannot be read as predictions"):
        read_predictions(path)
    np.savez(path, **{**arrays, "targets": np.array([0, 7])})
    with pytest.raises(ServiceError, match="do not fit each other"):
        read_predictions(path)
    about = arrays["about"].tobytes().replace(b'"format":1', b'"format":9')
    np.savez(path, **{**arrays, "about": np.frombuffer(about, np.uint8)})
    with pytest.raises(FormatUnknown, match="has format 9"):
        read_predictions(path)
    with pytest.raises(NotFound):
        read_predictions(tmp_path / "nothing.npz")


def test_a_file_with_pickled_objects_is_refused(tmp_path: Path) -> None:
    path = tmp_path / FILE
    np.savez(path, about=np.array([{"a": 1}], dtype=object))

    with pytest.raises(ServiceError, match="cannot be read"):
        read_predictions(path)


def test_columns_for_a_table_name_classes() -> None:
    found = collect([0, 1], scores=[[0.75, 0.25], [0.5, 0.5]], labels=["ok", "bad"], ms=2.0)

    assert found.frame() == {
        "id": ["0", "1"],
        "target": ["ok", "bad"],
        "prediction": ["ok", "ok"],
        "score:ok": [0.75, 0.5],
        "score:bad": [0.25, 0.5],
        "ms": [2.0, 2.0],
    }
