"""Curves as bytes."""

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from runyard.records import RunId
from tests.server.serving import WRITES, Served

Array = NDArray[np.float64]


def curves(served: Served, **asked: Any) -> dict[tuple[str, str], dict[str, Array]]:
    """Ask, and decode as a browser does."""
    response = served.http.post("/api/v1/series", json=asked, headers=WRITES)
    assert response.status_code == 200, response.text
    content = response.content
    length = int.from_bytes(content[:4], "little")
    start = (4 + length + 7) // 8 * 8
    found = {}
    for each in json.loads(content[4 : 4 + length])["series"]:
        arrays = np.frombuffer(content, "<f8", each["count"] * len(each["arrays"]), start + each["offset"])
        found[each["run"], each["key"]] = dict(zip(each["arrays"], arrays.reshape(-1, each["count"]), strict=True))
    assert start + sum(array.nbytes for own in found.values() for array in own.values()) == len(content)
    return found


def test_a_short_curve_comes_whole(shared: Served, one_shared: RunId) -> None:
    keys = ["val/loss", "grad_norm", "sys/cpu_percent"]

    found = curves(shared, runs=[one_shared], keys=keys, buckets=1000)

    for key in keys:
        series = shared.client.index.series(one_shared, key)
        assert list(found[one_shared, key]) == ["x", "y"]
        np.testing.assert_array_equal(found[one_shared, key]["x"], series.steps)
        np.testing.assert_array_equal(found[one_shared, key]["y"], series.values)


def test_a_long_curve_comes_in_buckets_that_lose_no_extreme(shared: Served, one_shared: RunId) -> None:
    series = shared.client.index.series(one_shared, "val/loss")

    found = curves(shared, runs=[one_shared], keys=["val/loss"], buckets=7)[one_shared, "val/loss"]

    assert list(found) == ["x", "min", "max", "mean", "last"]
    assert len(found["x"]) <= 7
    assert found["min"].min() == series.values.min()
    assert found["max"].max() == series.values.max()
    assert found["last"][-1] == series.values[-1]
    assert found["x"][-1] == series.steps[-1]


def test_many_runs_and_keys_come_in_one_answer(shared: Served) -> None:
    ids = [row.id for row in shared.client.index.find('state == "COMPLETED"', limit=10)]
    waiting = shared.client.index.find('state == "QUEUED"', limit=1)[0].id

    found = curves(shared, runs=[*ids, waiting, ids[0]], keys=["val/loss", "lr", "never"])

    assert set(found) == {(run_id, key) for run_id in ids for key in ("val/loss", "lr")}


def test_a_part_of_the_steps(shared: Served, one_shared: RunId) -> None:
    found = curves(shared, runs=[one_shared], keys=["lr"], start=10, stop=19.5, buckets=1000)[one_shared, "lr"]

    assert found["x"].tolist() == list(range(10, 21))


@pytest.mark.parametrize("x", ["time", "relative"])
def test_time_on_the_axis(shared: Served, one_shared: RunId, x: str) -> None:
    series = shared.client.index.series(one_shared, "lr")
    started = shared.client.index.get(one_shared).started_at
    assert started is not None
    zero = started.timestamp() if x == "relative" else 0
    times = series.times / 1e9 - zero

    whole = curves(shared, runs=[one_shared], keys=["lr"], x=x)[one_shared, "lr"]
    part = curves(shared, runs=[one_shared], keys=["lr"], x=x, start=times[5], stop=times[9] + 0.5)[one_shared, "lr"]

    np.testing.assert_allclose(whole["x"], times, atol=1e-3)
    np.testing.assert_array_equal(part["y"], series.values[5:10])


def test_far_borders_are_no_defect(shared: Served, one_shared: RunId) -> None:
    for x in ("step", "time", "relative"):
        assert curves(shared, runs=[one_shared], keys=["lr"], x=x, start=-(2**53), stop=2**53)


def test_not_a_number_stays_a_gap(shared: Served) -> None:
    keys = "grad_norm"
    ids = [row.id for row in shared.client.index.find(None, project="weld-seam", limit=None)]
    series = shared.client.index.series_many(ids, keys)

    found = curves(shared, runs=ids, keys=[keys])

    for run_id, known in series.items():
        np.testing.assert_array_equal(found[run_id, keys]["y"], known.values)


def test_too_many_series_are_refused(shared: Served) -> None:
    body = {"runs": [f"r{n}" for n in range(900)], "keys": [f"k{n}" for n in range(900)]}

    assert "too many" in shared.send("POST", "/series", body, status=422)["error"]


def test_the_metrics_of_runs(shared: Served, one_shared: RunId) -> None:
    assert shared.get("/metrics", runs=one_shared)["keys"] == shared.client.index.keys(one_shared)


def test_a_curve_runs_along_another_metric(shared: Served, one_shared: RunId) -> None:
    series = shared.client.index.series(one_shared, "val/loss")
    epochs = shared.client.index.series(one_shared, "epoch").values

    found = curves(shared, runs=[one_shared], keys=["val/loss"], x="metric:epoch")[one_shared, "val/loss"]

    assert found["x"].tolist() == sorted(set(epochs.tolist()))
    first = series.values[epochs == 0]
    assert [found[name][0] for name in ("min", "max", "last")] == [first.min(), first.max(), first[-1]]
    assert found["mean"][0] == pytest.approx(first.mean())


def test_a_part_along_another_metric_is_cut_by_it(shared: Served, one_shared: RunId) -> None:
    low, high = np.quantile(shared.client.index.series(one_shared, "train/loss").values, (0.2, 0.7)).tolist()

    found = curves(shared, runs=[one_shared], keys=["val/loss"], x="metric:train/loss", start=low, stop=high)

    x = found[one_shared, "val/loss"]["x"]
    assert x.min() >= low
    assert x.max() <= high
    assert (np.diff(x) >= 0).all()


def test_a_run_without_the_other_metric_has_no_curve(shared: Served, one_shared: RunId) -> None:
    assert curves(shared, runs=[one_shared], keys=["val/loss"], x="metric:never") == {}
    shared.send("POST", "/series", {"runs": [one_shared], "keys": ["lr"], "x": "metric:"}, status=422)
    shared.send("POST", "/series", {"runs": [one_shared], "keys": ["lr"], "x": "epoch"}, status=422)
