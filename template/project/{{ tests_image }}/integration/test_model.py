"""A training learns, what it saves predicts the same, and an interrupted one goes on as if nothing had happened."""

import unittest
from functools import partial

import numpy as np
from runyard.testing import (
    assert_batch_independent,
    assert_metric,
    assert_overfits,
    assert_reproducible,
    assert_resumes,
    rehearse,
    tiny_data,
)

from src import inference
from src.config import DEFAULT
from src.data_processing.data_loader import load
from src.train import train

SAMPLES = tiny_data()  # tests/data
LEARNS = DEFAULT.replace({"epochs": 30, "batch_size": 8, "optim.lr": 0.01})


class TrainTest(unittest.TestCase):
    def test_training_overfits_the_samples(self) -> None:
        assert_overfits(train, LEARNS, data=SAMPLES, to=0.1)

    def test_same_seed_gives_the_same_training(self) -> None:
        assert_reproducible(train, DEFAULT.replace({"epochs": 3}), data=SAMPLES)

    def test_resumed_training_ends_like_an_uninterrupted_one(self) -> None:
        assert_resumes(train, DEFAULT.replace({"epochs": 6, "checkpoint_every": 2}), data=SAMPLES)


class InferenceTest(unittest.TestCase):
    def test_saved_model_predicts_the_samples_and_does_so_again(self) -> None:
        images, labels = load(SAMPLES)
        with rehearse(LEARNS, data=SAMPLES) as rehearsal:
            train(LEARNS, rehearsal.run)
            once, again = (inference.load(rehearsal.model, "cpu") for _ in range(2))

        outputs = inference.predict(once, list(images))

        assert_metric(np.mean([output.label for output in outputs] == labels), name="accuracy", at_least=0.8)
        self.assertEqual(outputs, inference.predict(again, list(images)))
        assert_batch_independent(partial(inference.predict, once), list(images[:8]), rtol=1e-4)

    def test_folder_is_read_by_name(self) -> None:
        found = inference.read(SAMPLES)

        self.assertEqual([name for name, _ in found], sorted(file.name for file in SAMPLES.glob("*.png")))
        np.testing.assert_array_equal(np.stack([image for _, image in found]), load(SAMPLES)[0])


if __name__ == "__main__":
    unittest.main()
