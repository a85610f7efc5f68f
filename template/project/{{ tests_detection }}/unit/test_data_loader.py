"""Images and boxes are what the model expects, and no image is learnt from and measured with."""

import tempfile
import unittest

import numpy as np
from runyard.testing import assert_batch, assert_disjoint, tiny_data

from src.data_processing.contract import CONTRACT
from src.data_processing.data_loader import CLASSES, f1, load, overlap, split
from src.data_processing.scenes import compose
from src.models.boxes import decode
from src.models.model import encode

SAMPLES = tiny_data()  # tests/data


class LoadTest(unittest.TestCase):
    def test_images_and_boxes_keep_the_contract(self) -> None:
        for root in (None, SAMPLES):
            with self.subTest(root=root):
                images, boxes = load(root)

                assert_batch((images, boxes), CONTRACT)
                self.assertEqual(set(np.concatenate(boxes)[:, 0]), set(range(CLASSES)))

    def test_contract_says_which_box_does_not_fit(self) -> None:
        images, boxes = load(SAMPLES)
        boxes[1] = np.array([[3, 28, 4, 40, 12]], dtype=np.float32)

        (problem,) = CONTRACT.problems({"image": images, "boxes": boxes})

        self.assertEqual(str(problem), "boxes[1] has a box of 3 at 28, 4, 40, 12, beyond its image of 32 x 32 pixels.")

    def test_boxes_enclose_all_ink(self) -> None:
        images, boxes = load(SAMPLES)

        for image, found in zip(images.copy(), boxes, strict=True):
            for left, top, right, bottom in found[:, 1:].astype(int):
                image[top:bottom, left:right] = 0
            self.assertLess(image.max(), 0.15)

    def test_same_seed_makes_the_same_scenes(self) -> None:
        once, again, other = (compose(3, seed=seed)[0] for seed in (1, 1, 2))

        np.testing.assert_array_equal(once, again)
        self.assertFalse(np.array_equal(once, other))

    def test_folder_without_boxes_is_refused(self) -> None:
        with tempfile.TemporaryDirectory() as folder, self.assertRaisesRegex(FileNotFoundError, "boxes.csv"):
            load(folder)


class SplitTest(unittest.TestCase):
    def test_no_image_is_on_both_sides_and_none_is_lost(self) -> None:
        numbers = np.arange(50, dtype=np.float32)
        boxes = [np.full((1, 5), number) for number in numbers]

        parts = split(numbers[:, None, None], boxes, validation=0.2, seed=3)

        self.assertEqual(len(parts.val_boxes), 10)
        self.assertEqual(sorted([*parts.train_images.ravel(), *parts.val_images.ravel()]), list(numbers))
        self.assertEqual([box[0, 0] for box in parts.val_boxes], list(parts.val_images.ravel()))
        assert_disjoint(parts.train_images, parts.val_images, names=("train", "val"))


class BoxesTest(unittest.TestCase):
    def test_overlap_is_the_shared_part_of_both_areas(self) -> None:
        one, half, away = (np.array([0, left, 0, left + 4, 4], dtype=np.float32) for left in (0, 2, 4))

        self.assertEqual(overlap(one, one), 1.0)
        self.assertAlmostEqual(overlap(one, half), 1 / 3)
        self.assertEqual(overlap(one, away), 0.0)

    def test_wrong_labels_and_doubles_count_as_errors(self) -> None:
        box = np.array([[3, 0, 0, 8, 8]], dtype=np.float32)
        other_label = box + np.array([1, 0, 0, 0, 0])

        self.assertEqual(f1([box], [box]), 1.0)
        self.assertEqual(f1([other_label], [box]), 0.0)
        self.assertAlmostEqual(f1([np.concatenate([box, box])], [box]), 2 / 3)

    def test_what_is_encoded_is_decoded_to_the_same_boxes(self) -> None:
        _, boxes = load(SAMPLES)
        wanted = encode(boxes)
        answers = np.full((*wanted.shape[:3], 15), -10.0, dtype=np.float32)
        answers[..., 0] = wanted[..., 0] * 20 - 10
        answers[..., 1:5] = wanted[..., 1:5]
        np.put_along_axis(answers, wanted[..., 5:].numpy().astype(int) + 5, 10.0, axis=-1)

        found = [found for found, _ in decode(answers)]

        self.assertEqual(f1(found, boxes, least=0.99), 1.0)


if __name__ == "__main__":
    unittest.main()
