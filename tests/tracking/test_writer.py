"""The calls of TensorBoard's SummaryWriter."""

from pathlib import Path

import numpy as np
import pytest

import runyard
from runyard.errors import UsageError
from runyard.journal.events import Configured, Finished, Media
from runyard.tracking import Run
from tests.tracking.journals import events_in, points_in


def media(run: Run) -> dict[str, Media]:
    return {event.key: event for event in events_in(run.dir, Media)}


def test_numbers_go_to_the_run_under_their_tags(run: Run) -> None:
    with run.writer() as writer:
        writer.add_scalar("loss", np.float32(0.5), 3, walltime=1.0)
        writer.add_scalars("val", {"accuracy": 0.9, "f1": 0.8}, 3)
        writer.add_hparams({"lr": 0.1}, {"hparam/best": 0.9}, global_step=3)

    assert points_in(run.dir) == {
        "loss": [(3, 0.5)],
        "val/accuracy": [(3, 0.9)],
        "val/f1": [(3, 0.8)],
        "hparam/best": [(3, 0.9)],
    }
    assert events_in(run.dir, Configured)[0].values == {"lr": 0.1}
    assert not run.is_finished


def test_a_writer_without_a_run_makes_one_and_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNYARD_HOME", str(tmp_path))
    monkeypatch.setattr("os.posix_spawn", lambda *_, **__: 0)

    writer = runyard.SummaryWriter("logs/first", comment="with dropout")
    run = runyard.current_run()
    assert run is not None
    writer.add_scalar("loss", 1.0, 0)
    writer.flush()
    writer.close()

    assert run.name == "logs/first with dropout"
    assert writer.get_logdir() == writer.log_dir == str(run.dir)
    assert events_in(run.dir, Finished)


@pytest.mark.parametrize("shape", [(800,), (2, 800), (1, 800)])
def test_sounds_have_their_channels_first(run: Run, shape: tuple[int, ...]) -> None:
    run.writer().add_audio("hum", np.zeros(shape, np.float32), 4, sample_rate=8000)

    hum = media(run)["hum"]
    assert (hum.step, hum.mime) == (4, "audio/wav")
    assert hum.meta == {"rate_hz": 8000, "channels": shape[0] if len(shape) > 1 else 1, "frames": 800}


@pytest.mark.parametrize(
    ("axes", "shape"), [("CHW", (3, 4, 5)), ("HWC", (4, 5, 3)), ("HW", (4, 5)), ("chw", (1, 4, 5)), ("WHC", (5, 4, 3))]
)
def test_images_are_turned_as_their_axes_say(run: Run, axes: str, shape: tuple[int, ...]) -> None:
    run.writer().add_image("picture", np.zeros(shape), 1, dataformats=axes)

    meta = media(run)["picture"].meta
    assert (meta["height"], meta["width"]) == (4, 5)


def test_several_images_become_rows_of_eight(run: Run) -> None:
    run.writer().add_images("batch", np.ones((10, 3, 4, 5)))

    meta = media(run)["batch"].meta
    assert (meta["height"], meta["width"]) == (2 * 4, 8 * 5)


def test_histograms_texts_and_figures_are_kept(run: Run) -> None:
    figure = pytest.importorskip("matplotlib.figure").Figure()
    writer = run.writer()

    writer.add_histogram("weights", np.arange(10.0), 2, bins="auto")
    writer.add_histogram_raw("counted", 0, 3, 3, 3, 5, bucket_limits=[1, 2, 3], bucket_counts=[1, 1, 1])
    writer.add_text("sample", "Once", 2)
    writer.add_figure("plot", figure, close=False)

    assert {key: event.kind for key, event in media(run).items()} == {
        "weights": "histogram",
        "counted": "histogram",
        "sample": "text",
        "plot": "figure",
    }


def test_precision_and_recall_are_those_of_the_definition(run: Run) -> None:
    import json

    truth, scores = np.array([1, 1, 0, 0]), np.array([0.9, 0.4, 0.6, 0.1])

    run.writer().add_pr_curve("pr", truth, scores, num_thresholds=2)  # at 0 and at 0.5

    curve = json.loads(media(run)["pr"].data)
    assert (curve["x"], curve["y"]) == ([0.5, 1.0], [0.5, 0.5])


def test_what_has_no_place_is_told_once_and_ends_nothing(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    writer = run.writer()

    for _ in range(3):
        writer.add_graph(object())
        writer.add_image("odd", np.zeros((2, 2, 2, 2)))
    writer.add_scalar("loss", 1.0, 0)

    told = capsys.readouterr().err
    assert told.count("add_graph has no place in a run") == 1
    assert told.count("the image 'odd' was left out") == 1
    assert points_in(run.dir) == {"loss": [(0, 1.0)]}
    with pytest.raises(AttributeError, match="add_scaler"):
        writer.add_scaler("loss", 1.0)


def test_a_tag_that_is_none_is_a_wrong_call(run: Run) -> None:
    with pytest.raises(UsageError):
        run.writer().add_scalar("", 1.0)
