"""Metrics hold their level, predictions stay what they were."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from runyard.testing import assert_matches_snapshot, assert_metric


def test_a_metric_within_its_limits_passes() -> None:
    assert_metric(0.91, at_least=0.9)
    assert_metric(lambda: 0.91, baseline=0.92, tolerance=0.02)
    assert_metric(0.3, at_most=0.5, baseline=0.29, tolerance=0.02)


@pytest.mark.parametrize(
    ("limits", "sentence"),
    [
        ({"at_least": 0.92}, r"metric: val/f1 is 0\.91; wanted is at least 0\.92\. Did code"),
        ({"at_most": 0.9}, r"wanted is at most 0\.9\."),
        ({"baseline": 0.95, "tolerance": 0.02}, r"at least 0\.93, the baseline 0\.95 with a tolerance of 0\.02\."),
        ({"at_most": 2.0, "baseline": 0.8}, r"at most 0\.8, the baseline 0\.8"),
    ],
)
def test_a_metric_that_got_worse_is_told(limits: dict[str, float], sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        assert_metric(0.91, name="val/f1", **limits)


def test_a_metric_that_is_nan_fails_and_one_without_limit_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="is nan"):
        assert_metric(float("nan"), at_least=0.0)
    with pytest.raises(TypeError, match="needs at_least"):
        assert_metric(0.9)


class Output(NamedTuple):
    label: str
    probability: float


OUTPUTS = [Output("good", 0.9), Output("scratch", 0.7)]


@pytest.mark.parametrize("name", ["outputs.json", "deep/outputs.npz"])
def test_first_call_writes_and_the_next_compares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv("CI", raising=False)
    path = tmp_path / name

    assert_matches_snapshot(OUTPUTS, path)
    assert_matches_snapshot([OUTPUTS[0], Output("scratch", 0.70001)], path)

    with pytest.raises(AssertionError) as told:
        assert_matches_snapshot([OUTPUTS[0], Output("good", 0.8)], path)
    assert "label: 1 of 2 values, the first at [1]: 'scratch' then, 'good' now" in str(told.value)
    assert "probability: 1 of 2 values, the first at [1]: 0.7 then, 0.8 now" in str(told.value)
    assert str(told.value).endswith("renew the snapshot and commit it: RUNYARD_RENEW_SNAPSHOTS=1 python run.py test")


def test_renewing_writes_what_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "values.json"
    path.write_text(json.dumps({"values": [1, 2]}))
    monkeypatch.setenv("RUNYARD_RENEW_SNAPSHOTS", "1")

    assert_matches_snapshot(np.array([3, 4]), path)

    assert json.loads(path.read_text()) == {"values": [3, 4]}


def test_a_missing_snapshot_fails_in_ci(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")

    with pytest.raises(AssertionError, match="is not there"):
        assert_matches_snapshot(np.zeros(2), tmp_path / "values.npz")


def test_tolerances_count_by_key_and_shapes_and_names_are_compared(tmp_path: Path) -> None:
    path = tmp_path / "values.json"
    path.write_text(json.dumps({"a": [1.0], "b": [1.0]}))

    assert_matches_snapshot({"a": np.array([1.05]), "b": np.array([1.0])}, path, tolerances={"a": 0.1})
    found: list[tuple[Any, str]] = [
        ({"a": np.ones(2), "b": np.ones(1)}, r"a had the shape \(1,\), and has \(2,\)"),
        ({"a": np.ones(1), "c": np.ones(1)}, "b is not there any more\n  c is new"),
    ]
    for values, sentence in found:
        with pytest.raises(AssertionError, match=sentence):
            assert_matches_snapshot(values, path)
    with pytest.raises(ValueError, match="neither"):
        assert_matches_snapshot(np.zeros(2), tmp_path / "values.txt")
