"""Points and their histories over HTTP."""

import pytest

from tests.server.mlflow.conftest import Api, a_project
from tests.server.serving import Served


@pytest.fixture
def api(either_server: Served) -> Api:
    """A project on each of the two databases."""
    return a_project(either_server)


def history(api: Api, run_id: str, key: str = "m", **more: object) -> list[tuple[int, int, object]]:
    found = api.get("metrics/get-history", run_id=run_id, metric_key=key, **more).get("metrics", ())
    return [(point["timestamp"], point["step"], point["value"]) for point in found]


@pytest.mark.parametrize(
    ("points", "latest"),
    [
        ([(1, 0, 5.0), (2, 3, 1.0), (9, 2, 7.0)], 1.0),  # the greatest step
        ([(1, 3, 5.0), (9, 3, 1.0), (2, 3, 7.0)], 1.0),  # then the latest time
        ([(1, 3, 5.0), (1, 3, 7.0), (1, 3, 1.0)], 7.0),  # then the largest value
        ([(1, -3, 5.0), (1, -2, 6.0)], 6.0),
    ],
)
def test_one_value_a_key_is_shown(api: Api, points: list[tuple[int, int, float]], latest: float) -> None:
    one_by_one, at_once = api.run(), api.run()
    for at, step, value in points:
        api.metric(one_by_one, "m", value, step=step, at=at)
    metrics = [{"key": "m", "value": value, "timestamp": at, "step": step} for at, step, value in points]
    api.post("runs/log-batch", run_id=at_once, metrics=metrics)

    assert api.data(one_by_one)["metrics"] == api.data(at_once)["metrics"] == {"m": latest}
    assert len(history(api, one_by_one)) == len(points)


def test_an_exactly_equal_point_comes_once(api: Api) -> None:
    run_id = api.run()
    for value in (1.0, 1.0, "NaN", "NaN", 2.0):
        api.metric(run_id, "m", value, step=1, at=5)

    assert history(api, run_id) == [(5, 1, 1.0), (5, 1, 2.0), (5, 1, "NaN")]
    api.post("runs/log-batch", run_id=run_id, metrics=[{"key": "n", "value": 1, "timestamp": 5, "step": 1}] * 3)
    assert history(api, run_id, "n") == [(5, 1, 1.0)]


def test_a_history_comes_in_pages(api: Api) -> None:
    run_id = api.run()
    metrics = [{"key": "m", "value": float(n), "timestamp": n, "step": n} for n in range(10)]
    api.post("runs/log-batch", run_id=run_id, metrics=metrics)

    first = api.get("metrics/get-history", run_id=run_id, metric_key="m", max_results=5)
    second = api.get(
        "metrics/get-history", run_id=run_id, metric_key="m", max_results=5, page_token=first["next_page_token"]
    )

    assert [each["step"] for each in first["metrics"] + second["metrics"]] == list(range(10))
    assert "next_page_token" not in second  # the last page is exactly full
    assert (
        "page token"
        in api.get("metrics/get-history", 400, run_id=run_id, metric_key="other", page_token=first["next_page_token"])[
            "message"
        ]
    )
    api.get("metrics/get-history", 400, run_id=run_id, metric_key="m", max_results=0)


def test_points_of_many_keys_share_a_step(api: Api) -> None:
    run_id = api.run()
    metrics = [{"key": key, "value": step, "timestamp": step, "step": step} for step in range(50) for key in "abc"]

    api.post("runs/log-batch", run_id=run_id, metrics=metrics)

    assert [step for _, step, _ in history(api, run_id, "b")] == list(range(50))


def test_many_histories_at_once(api: Api) -> None:
    runs = [api.run(), api.run()]
    for run_id in runs:
        for step in range(3):
            api.metric(run_id, "m", step, step=step, at=step)

    found = api.get("metrics/get-history-bulk", run_id=runs, metric_key="m")["metrics"]

    assert {each["run_id"] for each in found} == set(runs)
    assert len(found) == 6
    assert len(api.get("metrics/get-history-bulk", run_id=runs, metric_key="m", max_results=4)["metrics"]) == 4
    api.get("metrics/get-history-bulk", 400, metric_key="m")
    api.get("metrics/get-history-bulk", 400, run_id=["x"] * 101, metric_key="m")


def test_a_sampled_history_has_its_last_step(api: Api) -> None:
    run_id = api.run()
    metrics = [{"key": "m", "value": n, "timestamp": n, "step": n} for n in range(1000)]
    api.post("runs/log-batch", run_id=run_id, metrics=metrics)
    ask = "metrics/get-history-bulk-interval"

    found = api.get(ask, run_ids=[run_id], metric_key="m", max_results=10)["metrics"]
    between = api.get(ask, run_ids=[run_id], metric_key="m", max_results=5, start_step=100, end_step=200)["metrics"]

    assert len(found) == 10
    assert (found[0]["step"], found[-1]["step"]) == (0, 999)
    assert all(100 <= each["step"] <= 200 for each in between)
    assert between[-1]["step"] == 200
    for wrong in ({"max_results": 2501}, {"start_step": 5}, {"start_step": 5, "end_step": 4}, {"max_results": 0}):
        api.get(ask, 400, run_ids=[run_id], metric_key="m", **wrong)


def test_what_is_measured_of_the_machine_stands_with_our_own_measurements(api: Api) -> None:
    run_id = api.run()
    keys = ["system/cpu_utilization_percentage", "system/node-1/gpu_0_power_usage_watts", "system/mine", "sys/mine"]
    for key in keys:
        api.metric(run_id, key, 5.0)

    assert set(api.data(run_id)["metrics"]) == set(keys)
    assert history(api, run_id, "system/cpu_utilization_percentage") == [(1, 0, 5.0)]
    assert api.found("metrics.`system/cpu_utilization_percentage` = 5")
    assert set(api.served.client.index.keys(run_id)) == {
        "sys/cpu_utilization_percentage", "sys/node-1/gpu_0_power_usage_watts", "system/mine", "sys/mine",
    }  # fmt: skip
