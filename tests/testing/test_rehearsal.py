"""Rehearsals: training functions called as a run would call them."""

from pathlib import Path

import pytest

from runyard import Config, Run
from runyard.errors import NotFound
from runyard.testing import rehearse


class TrainConfig(Config):
    epochs: int = 3


def train(config: TrainConfig, run: Run) -> None:
    checkpoint = run.checkpoint_dir / "epoch.txt"
    first = int(checkpoint.read_text()) + 1 if checkpoint.exists() else 0
    for epoch in range(first, config.epochs):
        run.log({"loss": 1 / (epoch + 1), "epoch": epoch}, step=epoch)
        checkpoint.write_text(str(epoch))


def test_logged_values_can_be_read() -> None:
    config = TrainConfig()

    with rehearse(config) as rehearsal:
        train(config, rehearsal.run)

        assert rehearsal.values("loss") == [1, 1 / 2, 1 / 3]
        assert rehearsal.values("accuracy") == []


def test_run_has_the_config_and_the_data(tmp_path: Path) -> None:
    config = TrainConfig(epochs=5)

    with rehearse(config, data=tmp_path) as rehearsal:
        assert rehearsal.run.config is config
        assert rehearsal.run.data == str(tmp_path)


def test_nothing_is_left_behind() -> None:
    with rehearse(TrainConfig()) as rehearsal:
        folder = rehearsal.run.dir
        assert folder.is_dir()

    assert not folder.exists()


def test_second_rehearsal_in_a_folder_resumes_the_first(tmp_path: Path) -> None:
    with rehearse(TrainConfig(epochs=2), folder=tmp_path) as rehearsal:
        train(TrainConfig(epochs=2), rehearsal.run)
    with rehearse(TrainConfig(epochs=4), folder=tmp_path) as rehearsal:
        train(TrainConfig(epochs=4), rehearsal.run)

        assert rehearsal.run.attempt == 2
        assert rehearsal.values("epoch") == [2, 3]


def test_error_of_the_training_comes_through() -> None:
    with pytest.raises(ZeroDivisionError), rehearse(TrainConfig()):
        raise ZeroDivisionError


def test_model_that_was_never_saved_is_told() -> None:
    with rehearse(TrainConfig()) as rehearsal, pytest.raises(NotFound, match="0 models were saved"):
        _ = rehearsal.model
