"""Images, tables, histograms, confusion matrices, figures and texts, as they stand in the journal."""

import io
import json
import struct
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runyard.errors import UsageError
from runyard.journal.events import FileLogged, Media, Warned
from runyard.tracking import Run
from tests.tracking.journals import events_in


class Tensor:
    """Like a tensor of torch: channels first, and on another device until it is fetched."""

    def __init__(self, array: Any) -> None:
        self._array = array
        self.dtype = self
        self.is_floating_point = array.dtype.kind == "f"

    def detach(self) -> "Tensor":
        return self

    def cpu(self) -> "Tensor":
        return self

    def float(self) -> "Tensor":
        return self

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self._array


def only_medium(run_dir: Path) -> Media:
    (medium,) = events_in(run_dir, Media)
    return medium


def pixels_of(png: bytes) -> Any:
    """Decode with Pillow: an encoder of our own needs a judge that is not ours."""
    images = pytest.importorskip("PIL.Image", reason="Pillow comes with Matplotlib")
    return np.asarray(images.open(io.BytesIO(png)))


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3), (5, 7, 4), (1, 1), (300, 2, 3)])
@pytest.mark.parametrize("kind", ["uint8", "float32", "int64"])
def test_arrays_become_png_without_loss(run: Run, run_dir: Path, shape: tuple[int, ...], kind: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)

    run.log_image("sample", pixels / np.float32(255) if kind == "float32" else pixels.astype(kind), step=3)

    medium = only_medium(run_dir)
    assert (medium.key, medium.step, medium.kind, medium.mime) == ("sample", 3, "image", "image/png")
    assert (medium.meta["height"], medium.meta["width"]) == shape[:2]
    assert np.array_equal(pixels_of(medium.data), pixels.squeeze(-1) if shape[2:] == (1,) else pixels)


def test_a_tensor_has_its_channels_first(run: Run, run_dir: Path) -> None:
    pixels = np.random.default_rng(0).random((3, 4, 5), np.float32)

    run.log_image("sample", Tensor(pixels), caption="the worst")

    medium = only_medium(run_dir)
    assert medium.meta == {"width": 5, "height": 4, "channels": 3, "caption": "the worst"}
    assert np.array_equal(pixels_of(medium.data), np.rint(np.moveaxis(pixels, 0, -1) * 255))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1"])
def test_images_of_pil_are_taken(run: Run, run_dir: Path, mode: str) -> None:
    images = pytest.importorskip("PIL.Image", reason="Pillow comes with Matplotlib")

    run.log_image("sample", images.new(mode, (6, 4)))

    assert pixels_of(only_medium(run_dir).data).shape[:2] == (4, 6)


@pytest.mark.parametrize(
    "image",
    [np.zeros((2, 2, 2)), np.zeros(3), np.zeros((0, 3)), np.full((2, 2), 300), np.array([["a"]]), None, "x.png"],
)
def test_what_is_no_image_costs_a_warning(
    run: Run, run_dir: Path, image: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        run.log_image("sample", image)

    assert events_in(run_dir, Media) == []
    assert len(events_in(run_dir, Warned)) == 1
    assert f"{__file__}:" in capfd.readouterr().err


def test_values_beyond_the_range_are_cut_and_nan_is_black(run: Run, run_dir: Path) -> None:
    run.log_image("sample", np.array([[-1.0, np.nan, 0.5, 2.0, np.inf]]))

    assert pixels_of(only_medium(run_dir).data).tolist() == [[0, 0, 128, 255, 255]]


def test_media_without_a_step_count_from_zero(run: Run, run_dir: Path) -> None:
    run.log_text("sample", "a")
    run.log_text("sample", "b", step=7)
    run.log_text("sample", "c")
    run.log_text("other", "d")

    assert [(event.key, event.step) for event in events_in(run_dir, Media)] == [
        ("sample", 0), ("sample", 7), ("sample", 8), ("other", 0)
    ]  # fmt: skip
    assert events_in(run_dir, Media)[0].data == b"a"


def test_a_key_with_control_characters_is_a_mistake_of_the_caller(run: Run) -> None:
    with pytest.raises(UsageError, match="control character"):
        run.log_text("a\tb", "x")


def frames() -> list[Any]:
    import pandas as pd
    import polars as pl

    columns: dict[str, list[Any]] = {"name": ["a", "b"], "score": [1.5, float("nan")], "n": [1, 2]}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return [columns, rows, pd.DataFrame(columns), pl.DataFrame(columns)]


@pytest.mark.parametrize("number", range(4))
def test_tables_of_every_kind_look_alike(run: Run, run_dir: Path, number: int) -> None:
    run.log_table("scores", frames()[number])

    medium = only_medium(run_dir)
    table = json.loads(medium.data)
    assert table["columns"] == ["name", "score", "n"]
    assert table["rows"][0] == ["a", 1.5, 1]
    assert table["rows"][1][1] in ("nan", None)  # pandas calls both of them missing
    assert medium.meta == {"columns": 3, "rows": 2}


@pytest.mark.parametrize(
    ("samples", "channels", "first"),
    [
        (np.array([0.5, -2.0, np.nan]), 1, (16383, -32767, 0)),
        (np.array([[7, -7], [0, 0]], np.int16), 2, (7, -7, 0)),
        (Tensor(np.ones((3, 1), np.float32)), 1, (32767, 32767, 32767)),
    ],
)
def test_a_sound_is_kept_as_wav(run: Run, run_dir: Path, samples: Any, channels: int, first: tuple[int, ...]) -> None:
    run.log_audio("hum", samples, rate_hz=8000, step=4, caption="a hum")

    medium = only_medium(run_dir)
    with wave.open(io.BytesIO(medium.data)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (channels, 8000, 2)
        assert struct.unpack("<3h", file.readframes(3)[:6]) == first
    assert (medium.kind, medium.mime, medium.step, medium.meta["caption"]) == ("audio", "audio/wav", 4, "a hum")


@pytest.mark.parametrize(
    ("samples", "rate_hz"),
    [(np.zeros((2, 2, 2)), 1), (np.zeros(3, np.int64), 1), (np.zeros(3), 0), ("abc", 1), (np.zeros((3, 9)), 1)],
)
def test_what_is_no_sound_costs_a_warning(run: Run, run_dir: Path, samples: Any, rate_hz: int) -> None:
    run.log_audio("hum", samples, rate_hz=rate_hz)

    assert events_in(run_dir, Media) == []
    assert "the audio 'hum' could not be logged: A sound" in events_in(run_dir, Warned)[0].text


def test_rows_that_lack_a_column_get_null(run: Run, run_dir: Path) -> None:
    run.log_table("scores", [{"a": 1}, {"b": Path("x")}])

    assert json.loads(only_medium(run_dir).data) == {"columns": ["a", "b"], "rows": [[1, None], [None, "x"]]}


@pytest.mark.parametrize("table", [3, "abc", [1, 2], {"a": [1], "b": [1, 2]}, {"a": 3}, {"a": range(1_000_001)}])
def test_what_is_no_table_or_too_large_costs_a_warning(run: Run, run_dir: Path, table: Any) -> None:
    run.log_table("scores", table)

    assert events_in(run_dir, Media) == []
    assert "table 'scores'" in events_in(run_dir, Warned)[0].text


def test_a_histogram_counts_finite_values(run: Run, run_dir: Path) -> None:
    run.log_histogram("weights", Tensor(np.array([[0.0, 1.0], [1.0, np.nan]])), bins=2)

    data = json.loads(only_medium(run_dir).data)
    assert data == {"edges": [0.0, 0.5, 1.0], "counts": [1, 2], "not_finite": 1}


def test_a_histogram_that_was_counted_elsewhere_is_kept(run: Run, run_dir: Path) -> None:
    run.log_histogram("weights", counts=[3, 4], edges=[0, 1, 10])

    assert json.loads(only_medium(run_dir).data)["counts"] == [3, 4]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"values": ["a"]},
        {"counts": [1]},
        {"counts": [1], "edges": [0]},
        {"counts": [1], "edges": [1, 0]},
        {"values": [1], "bins": 0},
    ],
)
def test_what_is_no_histogram_costs_a_warning(run: Run, run_dir: Path, given: dict[str, Any]) -> None:
    run.log_histogram("weights", **given)

    assert events_in(run_dir, Media) == []
    assert len(events_in(run_dir, Warned)) == 1


def test_targets_and_predictions_are_counted(run: Run, run_dir: Path) -> None:
    run.log_confusion_matrix("val", targets=[0, 1, 2, 2], predictions=[0, 2, 2, 2], labels=["cat", "dog", "cow"])

    data = json.loads(only_medium(run_dir).data)
    assert data == {"labels": ["cat", "dog", "cow"], "matrix": [[1, 0, 0], [0, 0, 1], [0, 0, 2]]}


def test_class_names_are_counted_too_and_a_matrix_is_taken_as_it_is(run: Run, run_dir: Path) -> None:
    run.log_confusion_matrix("val", targets=["b", "a"], predictions=["b", "b"])
    run.log_confusion_matrix("val", [[1, 2], [3, 4]])

    first, second = (json.loads(event.data) for event in events_in(run_dir, Media))
    assert first == {"labels": ["a", "b"], "matrix": [[0, 1], [0, 1]]}
    assert second == {"labels": ["0", "1"], "matrix": [[1, 2], [3, 4]]}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"matrix": [[1, 2]]},
        {"matrix": [[1]], "labels": ["a", "b"]},
        {"targets": [1], "predictions": [1, 2]},
        {"targets": ["x"], "predictions": ["a"], "labels": ["a"]},
        {"targets": [], "predictions": []},
    ],
)
def test_what_is_no_confusion_matrix_costs_a_warning(run: Run, run_dir: Path, given: dict[str, Any]) -> None:
    run.log_confusion_matrix("val", **given)

    assert events_in(run_dir, Media) == []
    assert len(events_in(run_dir, Warned)) == 1


def test_a_curve_is_kept_with_its_labels_and_without_what_is_not_finite(run: Run, run_dir: Path) -> None:
    run.log_curve("roc", [0, 0.5, 1], np.array([0, np.nan, 1.0]), x_label="false positives", y_label="hits", step=3)

    event = only_medium(run_dir)
    assert (event.kind, event.step) == ("curve", 3)
    assert json.loads(event.data) == {"x": [0, 1], "y": [0, 1], "x_label": "false positives", "y_label": "hits"}


def test_a_long_curve_is_thinned_between_its_ends(run: Run, run_dir: Path) -> None:
    run.log_curve("pr", np.linspace(0, 1, 50_000), np.linspace(1, 0, 50_000))

    found = json.loads(only_medium(run_dir).data)
    assert len(found["x"]) == 2000
    assert (found["x"][0], found["x"][-1], found["y"][-1]) == (0, 1, 0)


@pytest.mark.parametrize(("x", "y"), [([1], [1, 2]), ([], []), (["a"], [1]), ([float("nan")], [1])])
def test_what_is_no_curve_costs_a_warning(run: Run, run_dir: Path, x: list[Any], y: list[Any]) -> None:
    run.log_curve("roc", x, y)

    assert events_in(run_dir, Media) == []
    assert len(events_in(run_dir, Warned)) == 1


def test_a_figure_becomes_png_and_stays_open(run: Run, run_dir: Path) -> None:
    figures = pytest.importorskip("matplotlib.figure", reason="runyard[figures] is not installed")
    figure = figures.Figure(figsize=(2, 1))
    axes = figure.add_subplot()
    axes.plot([1, 2])

    run.log_figure("curve", figure)
    run.log_figure("curve", axes)
    run.log_figure("curve", 3)

    first, second = events_in(run_dir, Media)
    assert (first.kind, first.mime) == ("figure", "image/png")
    assert first.data == second.data
    assert pixels_of(first.data).shape[:2] == (first.meta["height"], first.meta["width"])
    assert len(events_in(run_dir, Warned)) == 1


# ---- files ----


def test_a_file_is_copied_and_announced(run: Run, run_dir: Path, tmp_path: Path) -> None:
    source = tmp_path / "predictions.csv"
    source.write_text("a,b\n")

    run.log_artifact(source)
    source.write_text("changed")
    run.log_artifact(str(source), "later/second.csv")

    files = run_dir / "attempts" / "1" / "files"
    assert [(event.name, event.kind) for event in events_in(run_dir, FileLogged)] == [
        ("predictions.csv", "artifact"), ("later/second.csv", "artifact")
    ]  # fmt: skip
    assert (files / "predictions.csv").read_text() == "a,b\n"
    assert (files / "later" / "second.csv").read_text() == "changed"


def test_a_folder_is_copied_file_by_file(run: Run, run_dir: Path, tmp_path: Path) -> None:
    for name in ("out/a.txt", "out/deep/b.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)

    run.log_artifact(tmp_path / "out")

    assert [event.name for event in events_in(run_dir, FileLogged)] == ["out/a.txt", "out/deep/b.txt"]
    assert (run_dir / "attempts/1/files/out/deep/b.txt").read_text() == "out/deep/b.txt"


def test_a_file_that_is_not_there_costs_a_warning(run: Run, run_dir: Path) -> None:
    run.log_artifact("/nowhere/x.csv")

    assert "/nowhere/x.csv does not exist" in events_in(run_dir, Warned)[0].text


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../b", "", "a//b", ".", "a\\b", "a\nb"])
def test_a_name_that_leads_out_of_the_folder_is_refused(run: Run, run_dir: Path, name: str) -> None:
    with pytest.raises(UsageError):
        run.log_artifact(__file__, name)

    assert not (run_dir / "attempts/1/files").exists()


def test_tags_and_notes_are_recorded(run: Run, run_dir: Path) -> None:
    from runyard.journal.events import Noted, Tagged

    run.tag("good", "baseline")
    run.untag("baseline")
    run.note("the first that works")

    assert [(event.add, event.remove) for event in events_in(run_dir, Tagged)] == [
        (("good", "baseline"), ()),
        ((), ("baseline",)),
    ]
    assert [event.text for event in events_in(run_dir, Noted)] == ["the first that works"]


def test_checkpoints_are_found_by_the_next_attempt(run: Run, run_dir: Path) -> None:
    assert not run.resumed
    (run.checkpoint_dir / "last.pt").write_bytes(b"weights")
    run.finish()
    (run_dir / "attempts" / "2").mkdir()

    with Run.attach(run_dir, 2) as second:
        assert (second.attempt, second.resumed) == (2, True)
        assert (second.checkpoint_dir / "last.pt").read_bytes() == b"weights"


def test_a_second_attempt_without_checkpoints_starts_afresh(run_dir: Path) -> None:
    (run_dir / "attempts" / "2").mkdir()

    with Run.attach(run_dir, 2) as second:
        assert not second.resumed
