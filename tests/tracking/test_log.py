"""`Run.log`: what is recorded, at which step, and what happens to things that are no numbers."""

import math
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runyard.errors import UsageError
from runyard.journal.events import Warned
from runyard.tracking import Run
from tests.tracking.journals import events_in, points_in


class Scalar:
    """Like a scalar of torch or jax: an object that float() takes."""

    def __init__(self, value: float) -> None:
        self._value = value

    def __float__(self) -> float:
        return self._value


class Tensor(Scalar):
    """Like a tensor of one element on a GPU, whose numel is a method."""

    ndim = 1
    shape = (1,)

    def numel(self) -> int:
        return 1

    def item(self) -> float:
        return self._value


def test_mappings_keywords_and_both_are_recorded(run: Run, run_dir: Path) -> None:
    run.log({"a": 1.0}, step=1)
    run.log(a=2.0, step=2)
    run.log({"a": 3.0}, b=4, step=3)

    assert points_in(run_dir) == {"a": [(1, 1.0), (2, 2.0), (3, 3.0)], "b": [(3, 4.0)]}


def test_nested_mappings_are_joined_with_a_slash(run: Run, run_dir: Path) -> None:
    for step in range(2):
        run.log({"train": {"loss": 0.5, "head": {"acc": 1}}, "lr": 0.1}, step=step)

    assert set(points_in(run_dir)) == {"train/loss", "train/head/acc", "lr"}


def test_nothing_to_log_is_no_mistake(run: Run, run_dir: Path) -> None:
    run.log()
    run.log({})
    run.log({}, step=3)

    assert points_in(run_dir) == {}


@pytest.mark.parametrize(
    "value",
    [2, 2.0, True + 1, Decimal(2), Fraction(2), np.float32(2), np.float16(2), np.int8(2), np.uint64(2), np.array(2.0),
     np.array([2.0]), np.array([[2]]), Scalar(2.0), Tensor(2.0)],
)  # fmt: skip
def test_numbers_of_every_library_are_taken(run: Run, run_dir: Path, value: Any) -> None:
    run.log(x=value)
    run.log({"x": value})
    run.log({"x": value, "y": value})

    assert [number for _, number in points_in(run_dir)["x"]] == [2.0, 2.0, 2.0]
    assert events_in(run_dir, Warned) == []


def test_tensors_of_torch_are_taken_and_losses_with_a_graph_cause_no_warning(run: Run, run_dir: Path) -> None:
    torch = pytest.importorskip("torch", reason="runyard[torch] is not installed")
    weight = torch.ones((), requires_grad=True)
    values = [weight * 2, torch.tensor([2.0]), torch.ones(1, 1, requires_grad=True) * 2, torch.tensor(2)]

    for value in [*values, torch.tensor(2.0, dtype=torch.bfloat16)]:
        for _ in range(2):
            run.log({"x": value, "y": 1.0}, step=torch.tensor(3))

    assert points_in(run_dir)["x"] == [(3, 2.0)] * 10
    assert events_in(run_dir, Warned) == []


def test_one_value_that_fails_does_not_take_the_others_with_it(run: Run, run_dir: Path) -> None:
    class Lost:
        ndim = 1
        size = 1
        shape = (1,)

        def item(self) -> float:
            raise RuntimeError("the device is gone")

    run.log({"x": Lost(), "y": 1.0})

    assert points_in(run_dir) == {"y": [(0, 1.0)]}


def test_nan_and_infinities_are_kept(run: Run, run_dir: Path) -> None:
    for value in (math.nan, math.inf, -math.inf):
        run.log(loss=value)

    values = [value for _, value in points_in(run_dir)["loss"]]
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf]


@pytest.mark.parametrize(
    "value",
    [
        None,
        "0.5",
        b"1",
        1j,
        np.complex64(1),
        np.str_("1"),
        np.datetime64(1, "s"),
        np.zeros(3),
        np.zeros((1, 2)),
        [1.0],
        10**400,
        object(),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_what_is_no_number_is_told_once_and_left_out(
    run: Run, run_dir: Path, capfd: pytest.CaptureFixture[str], value: Any, is_first: bool
) -> None:
    if not is_first:
        run.log({"loss": 1.0, "acc": 2.0})
    for _ in range(3):
        run.log({"loss": value, "acc": 0.5})

    told = capfd.readouterr().err
    if is_first or not isinstance(value, np.complex64 | np.str_ | np.datetime64):  # float() takes these later on
        assert "loss" not in points_in(run_dir) or points_in(run_dir)["loss"] == [(0, 1.0)]
        assert told.count("\n") == 1
        assert f"{Path(__file__)}:" in told
        assert "'loss'" in told
        assert [warning.text for warning in events_in(run_dir, Warned)] == [told.removeprefix("runyard: ").strip()]
    assert len(points_in(run_dir)["acc"]) == 3 + (not is_first)


def test_a_value_whose_float_and_repr_fail_costs_a_warning_only(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    class Broken:
        def __float__(self) -> float:
            raise RuntimeError("lost the device")

        def __repr__(self) -> str:
            raise RuntimeError("twice")

    run.log(x=Broken())

    assert "something (Broken)" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("", "empty"),
        ("a\nb", r"'\\n'"),
        ("\x1b[31m", "x1b"),
        ("a\x85", "x85"),
        ("x" * 501, "501"),
        (3, "not 3"),
        (None, "None"),
        ("\ud800", "Unicode"),
    ],
)
def test_a_name_that_is_none_is_a_mistake_of_the_caller(run: Run, run_dir: Path, name: Any, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        run.log({name: 1.0, "other": 2.0})
    with pytest.raises(UsageError, match=what):
        run.log({"group": {name: 1.0}} if name != "" and isinstance(name, str) and len(name) < 99 else {name: 1.0})

    assert points_in(run_dir) == {}


def test_the_longest_name_and_any_script_are_fine(run: Run, run_dir: Path) -> None:
    run.log({"x" * 500: 1, "Verlust/größe 损失": 2})

    assert set(points_in(run_dir)) == {"x" * 500, "Verlust/größe 损失"}


@pytest.mark.parametrize("metrics", [3, "loss", [("loss", 1.0)], np.zeros(2)])
def test_something_else_than_a_mapping_is_a_mistake_of_the_caller(run: Run, metrics: Any) -> None:
    with pytest.raises(UsageError, match="mapping"):
        run.log(metrics)
    with pytest.raises(UsageError, match="mapping"):
        run.log(metrics, loss=1.0)


# ---- steps ----


def test_without_a_step_each_series_counts_from_zero(run: Run, run_dir: Path) -> None:
    for value in range(3):
        run.log(loss=value)
    run.log(acc=9)

    assert points_in(run_dir) == {"loss": [(0, 0.0), (1, 1.0), (2, 2.0)], "acc": [(0, 9.0)]}


def test_keys_with_different_next_steps_go_on_each_by_itself(run: Run, run_dir: Path) -> None:
    run.log(loss=1)
    run.log(loss=2)
    run.log({"loss": 3, "acc": 3})
    run.log({"loss": 4, "acc": 4})
    run.log({"acc": 5, "loss": 5}, step=10)
    run.log({"acc": 6, "loss": 6})
    run.log(acc=7)

    assert points_in(run_dir) == {
        "loss": [(0, 1), (1, 2), (2, 3), (3, 4), (10, 5), (11, 6)],
        "acc": [(0, 3), (1, 4), (10, 5), (11, 6), (12, 7)],
    }


@pytest.mark.parametrize("step", [-(1 << 63), -1, 0, (1 << 63) - 1, np.int64(5), np.uint8(5), True, 7.0])
def test_every_whole_number_is_a_step(run: Run, run_dir: Path, step: Any) -> None:
    run.log({"x": 1.0}, step=step)
    run.log({"x": 1.0}, step=step)

    assert points_in(run_dir)["x"] == [(int(step), 1.0)] * 2


def test_steps_go_on_after_a_step_of_numpy(run: Run, run_dir: Path) -> None:
    run.log(x=0)
    run.log(x=1, step=np.uint8(255))
    run.log(x=2)

    assert [step for step, _ in points_in(run_dir)["x"]] == [0, 255, 256]


@pytest.mark.parametrize("step", [0.5, math.nan, math.inf, "3", None.__class__, [1], 1 << 63, -(1 << 63) - 1])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_step_that_is_none_is_a_mistake_of_the_caller(run: Run, run_dir: Path, step: Any, is_first: bool) -> None:
    if not is_first:
        run.log(x=1.0)
    with pytest.raises(UsageError, match="step"):
        run.log(x=1.0, step=step)

    assert len(points_in(run_dir).get("x", [])) == (not is_first)


def test_a_failed_value_does_not_use_up_a_step(run: Run, run_dir: Path) -> None:
    run.log(x=1.0)
    run.log(x=None)
    run.log(x=2.0)

    assert points_in(run_dir)["x"] == [(0, 1.0), (1, 2.0)]


KEYS = st.sampled_from(["a", "b", "c", "d"])
CALL = st.tuples(st.dictionaries(KEYS, st.floats(allow_nan=False), min_size=1), st.none() | st.integers(-5, 50))


@given(calls=st.lists(CALL, max_size=30))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_every_series_gets_the_steps_that_a_simple_model_says(calls: list[tuple[dict[str, float], int | None]]) -> None:
    import tempfile
    from datetime import UTC, datetime

    from runyard.records import RunId, RunSpec, encode_spec

    expected: dict[str, list[tuple[int, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "attempts" / "1").mkdir(parents=True)
        spec = RunSpec(id=RunId("abc"), project="p", name="n", created_at=datetime.now(UTC))
        (folder / "run.json").write_bytes(encode_spec(spec))
        with Run.attach(folder, 1) as run:
            for metrics, step in calls:
                for key, value in metrics.items():
                    series = expected.setdefault(key, [])
                    series.append((step if step is not None else series[-1][0] + 1 if series else 0, value))
                run.log(metrics, step=step)
        found = points_in(folder)

    assert found == expected


def test_a_defaultdict_is_logged_as_it_is_and_not_changed(run: Run, run_dir: Path) -> None:
    from collections import defaultdict

    run.log({"a": 1.0, "c": 1.0})
    metrics = defaultdict(float, a=2.0, b=3.0)

    run.log(metrics)

    assert dict(metrics) == {"a": 2.0, "b": 3.0}
    assert points_in(run_dir) == {"a": [(0, 1.0), (1, 2.0)], "c": [(0, 1.0)], "b": [(0, 3.0)]}


def test_the_same_keys_in_another_order_keep_their_values(run: Run, run_dir: Path) -> None:
    run.log({"a": 1.0, "b": 2.0, "c": 3.0})
    run.log({"a": 1.0, "c": 3.0, "b": 2.0})
    run.log({"c": 3.0, "b": 2.0, "a": 1.0})

    assert points_in(run_dir) == {
        key: [(step, value) for step in range(3)] for key, value in zip("abc", (1.0, 2.0, 3.0), strict=True)
    }


def test_logging_after_the_end_is_told_once_and_harmless(
    run: Run, run_dir: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run.log(x=1)
    run.finish()
    run.log(x=2)
    run.log(x=3)
    run.tag("late")

    assert points_in(run_dir)["x"] == [(0, 1.0)]
    assert capfd.readouterr().err.count("has ended") == 1
