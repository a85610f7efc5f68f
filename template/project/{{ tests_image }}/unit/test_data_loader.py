"""Images and labels are what the model expects, and no image is learnt from and measured with."""

import tempfile
import unittest

import numpy as np
from runyard.testing import assert_batch, assert_disjoint, tiny_data

from src.data_processing.contract import CONTRACT
from src.data_processing.data_loader import CLASSES, load, split

SAMPLES = tiny_data()  # tests/data


class LoadTest(unittest.TestCase):
    def test_images_keep_their_shape_type_and_range(self) -> None:
        for root in (None, SAMPLES):
            with self.subTest(root=root):
                images, labels = load(root)

                assert_batch((images, labels), CONTRACT)
                self.assertEqual(set(labels), set(range(CLASSES)))

    def test_samples_are_the_digits_of_scikit_learn(self) -> None:
        images, labels = load()
        positions = [int(file.stem) for file in sorted(SAMPLES.glob("*.png"))]

        sample_images, sample_labels = load(SAMPLES)

        np.testing.assert_allclose(sample_images, images[positions], atol=0.5 / 255)
        np.testing.assert_array_equal(sample_labels, labels[positions])

    def test_folder_without_labels_is_refused(self) -> None:
        with tempfile.TemporaryDirectory() as folder, self.assertRaisesRegex(FileNotFoundError, "labels.csv"):
            load(folder)


class SplitTest(unittest.TestCase):
    def test_no_image_is_on_both_sides_and_none_is_lost(self) -> None:
        numbers = np.arange(50)
        images = numbers.astype(np.float32)[:, None, None]

        parts = split(images, numbers, validation=0.2)

        self.assertEqual(len(parts.val_labels), 10)
        self.assertEqual(sorted([*parts.train_labels, *parts.val_labels]), list(numbers))
        np.testing.assert_array_equal(parts.val_images.ravel(), parts.val_labels)
        assert_disjoint(parts.train_images, parts.val_images, names=("train", "val"))

    def test_same_seed_divides_in_the_same_way(self) -> None:
        images, labels = load(SAMPLES)

        once, again = (split(images, labels, validation=0.2, seed=3) for _ in range(2))
        other = split(images, labels, validation=0.2, seed=4)

        np.testing.assert_array_equal(once.val_images, again.val_images)
        self.assertFalse(np.array_equal(once.val_images, other.val_images))


if __name__ == "__main__":
    unittest.main()
