"""Windows and targets are what the model expects, and nothing of the future is learnt from."""

import tempfile
import unittest
from pathlib import Path

import numpy as np
from runyard.testing import assert_batch, tiny_data

from src.data_processing.contract import CONTRACT, sample
from src.data_processing.data_loader import WINDOW, load, naive_error, read_series, split, target_times

SAMPLES = tiny_data()  # tests/data


class ContractTest(unittest.TestCase):
    def test_samples_keep_the_contract(self) -> None:
        assert_batch(sample(None, str(SAMPLES)), CONTRACT)

    def test_contract_says_what_a_window_lacks(self) -> None:
        one = CONTRACT.only("window").one
        times, values = list(range(1980, 1980 + WINDOW)), [10.0] * WINDOW

        self.assertEqual(one.problems({"time": times, "value": values}), [])
        (gap,) = one.problems({"time": [*times[:-1], 2010], "value": values})
        self.assertIn("window.time steps otherwise than by 1, which is declared: 2002 to 2010", str(gap))
        (short,) = one.problems({"time": times[1:], "value": values[1:]})
        self.assertEqual(str(short), "window.time has 23 points; 24 are declared.")
        (high,) = one.problems({"time": times, "value": [*values[1:], 9999.0]})
        self.assertIn("window.value goes from 10 to 9999", str(high))


class LoadTest(unittest.TestCase):
    def test_windows_keep_their_shape_type_and_range(self) -> None:
        windows, targets = load(SAMPLES)

        self.assertEqual(windows.shape, (len(targets), WINDOW))
        self.assertEqual((windows.dtype, targets.dtype), (np.float32, np.float32))
        self.assertTrue((windows >= 0).all())
        self.assertTrue((targets < 300).all())

    def test_target_is_the_point_after_its_window(self) -> None:
        values = [value for _, value in read_series(SAMPLES / "series.csv")]

        windows, targets = load(SAMPLES)

        np.testing.assert_allclose(windows[0], values[:WINDOW], rtol=1e-6)
        np.testing.assert_allclose(targets, values[WINDOW:], rtol=1e-6)
        np.testing.assert_array_equal(windows[1:, -1], targets[:-1])
        self.assertEqual(target_times(SAMPLES)[0], str(1700 + WINDOW))

    def test_samples_are_without_a_gap(self) -> None:
        years = [int(time) for time, _ in read_series(SAMPLES / "series.csv")]

        self.assertEqual(years, list(range(1700, 2009)))

    def test_folder_without_a_series_is_refused(self) -> None:
        with tempfile.TemporaryDirectory() as folder, self.assertRaisesRegex(FileNotFoundError, "series.csv"):
            load(folder)

    def test_short_series_and_missing_values_are_told(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            series = Path(folder) / "series.csv"

            series.write_text("time,value\n1700,5\n")
            with self.assertRaisesRegex(ValueError, "has 1 points; 26 are needed"):
                load(folder)
            series.write_text("time,value\n1700,5\n1701,nan\n")
            with self.assertRaisesRegex(ValueError, "no finite number at the time 1701"):
                load(folder)


class SplitTest(unittest.TestCase):
    def test_what_is_measured_with_is_later_and_none_is_lost(self) -> None:
        windows, targets = load(SAMPLES)

        parts = split(windows, targets, validation=0.2)

        np.testing.assert_array_equal(np.concatenate([parts.train_targets, parts.val_targets]), targets)
        self.assertEqual(len(parts.val_targets), round(len(targets) * 0.2))

    def test_naive_forecast_is_off_by_what_changes(self) -> None:
        windows = np.array([[1.0, 2.0], [2.0, 5.0]], dtype=np.float32)

        self.assertEqual(naive_error(windows, np.array([5.0, 4.0], dtype=np.float32)), 2.0)


if __name__ == "__main__":
    unittest.main()
