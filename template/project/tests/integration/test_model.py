"""A training learns, what it saves predicts the same, and an interrupted one goes on as if nothing had happened."""

import tempfile
import unittest
from pathlib import Path

import numpy as np
from runyard.testing import rehearse

from src import inference
from src.config import DEFAULT
from src.data_processing.data_loader import load
from src.train import train

SAMPLES = Path(__file__).parents[1] / "data"


class TrainTest(unittest.TestCase):
    def test_training_overfits_the_samples(self) -> None:
        config = DEFAULT.replace({"epochs": 30, "batch_size": 8, "optim.lr": 0.01})

        with rehearse(config, data=SAMPLES) as rehearsal:
            train(config, rehearsal.run)
            losses = rehearsal.values("train/loss")

        self.assertEqual(len(losses), 30)
        self.assertLess(losses[-1], 0.1, f"50 images must be learnt by heart; the loss went from {losses[0]:.2f}")

    def test_same_seed_gives_the_same_training(self) -> None:
        config = DEFAULT.replace({"epochs": 3})
        losses = []
        for _ in range(2):
            with rehearse(config, data=SAMPLES) as rehearsal:
                train(config, rehearsal.run)
                losses.append(rehearsal.values("val/loss"))

        np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)

    def test_resumed_training_ends_like_an_uninterrupted_one(self) -> None:
        whole = DEFAULT.replace({"epochs": 6, "checkpoint_every": 2})
        first_part = whole.replace({"epochs": 4})
        with rehearse(whole, data=SAMPLES) as rehearsal:
            train(whole, rehearsal.run)
            expected = rehearsal.values("val/loss")

        with tempfile.TemporaryDirectory() as folder:
            with rehearse(first_part, data=SAMPLES, folder=folder) as rehearsal:
                train(first_part, rehearsal.run)
            with rehearse(whole, data=SAMPLES, folder=folder) as rehearsal:
                train(whole, rehearsal.run)
                resumed = rehearsal.values("val/loss")

        np.testing.assert_allclose(resumed, expected[4:], rtol=1e-5)


class InferenceTest(unittest.TestCase):
    def test_saved_model_predicts_the_samples_and_does_so_again(self) -> None:
        config = DEFAULT.replace({"epochs": 30, "batch_size": 8, "optim.lr": 0.01})
        images, labels = load(SAMPLES)
        with rehearse(config, data=SAMPLES) as rehearsal:
            train(config, rehearsal.run)
            once, again = (inference.load(rehearsal.model, "cpu") for _ in range(2))

        outputs = inference.predict(once, list(images))

        self.assertGreaterEqual(np.mean([output.label for output in outputs] == labels), 0.8)
        self.assertEqual(outputs, inference.predict(again, list(images)))
        self.assertEqual(outputs[:1], inference.predict(again, [images[0]]))

    def test_folder_is_read_by_name(self) -> None:
        found = inference.read(SAMPLES)

        self.assertEqual([name for name, _ in found], sorted(file.name for file in SAMPLES.glob("*.png")))
        np.testing.assert_array_equal(np.stack([image for _, image in found]), load(SAMPLES)[0])


if __name__ == "__main__":
    unittest.main()
