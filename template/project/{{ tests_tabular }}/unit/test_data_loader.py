"""Rows and labels are what the model expects, and no row is learnt from and measured with."""

import tempfile
import unittest
from pathlib import Path

import numpy as np
from runyard.testing import assert_batch, assert_disjoint, tiny_data

from src.data_processing.contract import COLUMNS, CONTRACT
from src.data_processing.data_loader import CLASSES, FEATURES, columns, load, split

SAMPLES = tiny_data()  # tests/data


class LoadTest(unittest.TestCase):
    def test_rows_keep_the_contract(self) -> None:
        for root in (None, SAMPLES):
            with self.subTest(root=root):
                rows, labels = load(root)

                assert_batch((columns(rows), labels), CONTRACT)
                self.assertEqual(rows.dtype, np.float32)
                self.assertEqual(set(labels), set(range(CLASSES)))
        self.assertEqual(tuple(COLUMNS), FEATURES)

    def test_contract_says_what_a_row_lacks(self) -> None:
        row = dict.fromkeys(FEATURES, 1.0)
        one = CONTRACT.only("row").one

        self.assertEqual(one.problems(row), [])
        self.assertEqual(one.problems(row | {"proline": None}), [])  # may be missing
        self.assertEqual(
            [str(problem) for problem in one.problems(row | {"alcohol": 96.0, "ash": None})],
            ["row.alcohol is 96; 0 to 20 is declared.", "row.ash is missing (NaN, None or empty)."],
        )

    def test_samples_are_wines_of_scikit_learn(self) -> None:
        rows, labels = load()
        known = {(*row, label) for row, label in zip(rows.tolist(), labels.tolist(), strict=True)}

        sample_rows, sample_labels = load(SAMPLES)

        found = {(*row, label) for row, label in zip(sample_rows.tolist(), sample_labels.tolist(), strict=True)}
        self.assertLessEqual(found, known)
        self.assertEqual(len(found), len(sample_rows))

    def test_folder_without_a_table_is_refused(self) -> None:
        with tempfile.TemporaryDirectory() as folder, self.assertRaisesRegex(FileNotFoundError, "table.csv"):
            load(folder)

    def test_missing_columns_and_texts_are_told_and_empty_cells_are_missing_values(self) -> None:
        header, *lines = (SAMPLES / "table.csv").read_text().splitlines()
        with tempfile.TemporaryDirectory() as folder:
            table = Path(folder) / "table.csv"

            table.write_text("\n".join([header.replace("ash,", "dust,", 1), *lines]))
            with self.assertRaisesRegex(ValueError, "has no column 'ash'"):
                load(folder)
            table.write_text("\n".join([header, lines[0], "much" + lines[1][lines[1].index(",") :]]))
            with self.assertRaisesRegex(ValueError, "no number in row 3: 'alcohol' is 'much'"):
                load(folder)
            table.write_text("\n".join([header, lines[0], lines[1][lines[1].index(",") :]]))
            self.assertTrue(np.isnan(load(folder)[0][1, 0]))


class SplitTest(unittest.TestCase):
    def test_no_row_is_on_both_sides_and_none_is_lost(self) -> None:
        numbers = np.arange(50)
        rows = numbers.astype(np.float32)[:, None]

        parts = split(rows, numbers, validation=0.2)

        self.assertEqual(len(parts.val_labels), 10)
        self.assertEqual(sorted([*parts.train_labels, *parts.val_labels]), list(numbers))
        np.testing.assert_array_equal(parts.val_rows.ravel(), parts.val_labels)
        assert_disjoint(parts.train_rows, parts.val_rows, names=("train", "val"))

    def test_same_seed_divides_in_the_same_way(self) -> None:
        rows, labels = load(SAMPLES)

        once, again = (split(rows, labels, validation=0.2, seed=3) for _ in range(2))
        other = split(rows, labels, validation=0.2, seed=4)

        np.testing.assert_array_equal(once.val_rows, again.val_rows)
        self.assertFalse(np.array_equal(once.val_rows, other.val_rows))


if __name__ == "__main__":
    unittest.main()
