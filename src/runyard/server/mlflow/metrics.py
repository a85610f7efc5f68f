"""Histories of metrics: all points of one, a page at a time; or of many runs at once, thinned for a chart."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from runyard.bridges.mlflow.keys import ours
from runyard.errors import NotFound
from runyard.server.mlflow.asked import Asked
from runyard.server.mlflow.errors import MlflowError
from runyard.server.mlflow.forms import INT, NEEDED, TEXT, TEXTS, Field, Form, number
from runyard.server.mlflow.pages import check_limit, page

_MOST = 2**31 - 1
_MOST_POINTS = 25_000
_MOST_RUNS = 100
_MOST_SAMPLED = 2500

HISTORY: Form = {"run_id": NEEDED, "metric_key": NEEDED, "max_results": INT, "page_token": TEXT}
BULK: Form = {"run_id": TEXTS, "metric_key": TEXT, "max_results": INT}
INTERVAL: Form = {
    "run_ids": Field("list", is_required=True), "metric_key": NEEDED, "start_step": INT, "end_step": INT,
    "max_results": INT,
}  # fmt: skip

Points = list[tuple[int, int, float]]  # time in milliseconds, step, value


def history(asked: Asked) -> dict[str, Any]:
    """Every point of a metric, by time, step and value; an exactly equal one comes once."""
    run_id, key = asked.row().id, asked.values["metric_key"]
    limit = asked.get("max_results")
    if limit is not None:
        check_limit(limit, default=_MOST_POINTS, most=_MOST)
    points = points_of(asked, run_id, key)
    shown, token = page(points, limit=limit, token=asked.get("page_token"), question=[run_id, key])
    about = _about(asked, run_id, key)
    answer: dict[str, Any] = {"metrics": [_document(run_id, key, each) | about.get(_place(each), {}) for each in shown]}
    return (answer if shown else {}) | ({"next_page_token": token} if token else {})


def bulk(asked: Asked) -> dict[str, Any]:
    """The points of one metric of many runs, 25,000 at most."""
    run_ids, key = asked.get("run_id", []), asked.get("metric_key")
    if not run_ids:
        raise MlflowError("GetMetricHistoryBulk request must specify at least one run_id.")
    _check_runs(run_ids, "run_ids")
    if key is None:
        raise MlflowError("GetMetricHistoryBulk request must specify a metric_key.")
    limit = min(check_limit(asked.get("max_results"), default=_MOST_POINTS, most=_MOST), _MOST_POINTS)
    found = (
        _document(run_id, key, each)
        for run_id in sorted(run_ids)
        for each in points_of(asked, asked.row(run_id).id, key)
    )
    return {"metrics": _first(found, limit)}


def interval(asked: Asked) -> dict[str, Any]:
    """The points of one metric of many runs between two steps: so many of each, the last one always among them."""
    run_ids, key = asked.values["run_ids"], asked.values["metric_key"]
    _check_runs(run_ids, "run_ids")
    limit = asked.get("max_results", _MOST_SAMPLED)
    if not 1 <= limit <= _MOST_SAMPLED:
        raise MlflowError(f"max_results must be between 1 and {_MOST_SAMPLED}.")
    start, end = asked.get("start_step"), asked.get("end_step")
    if (start is None) != (end is None):
        raise MlflowError("If either start step or end step are specified, both must be specified.")
    if start is not None and start > end:
        raise MlflowError(f"end_step must be greater than start_step. Found start_step={start} and end_step={end}.")
    of_runs = {run_id: points_of(asked, asked.row(run_id).id, key) for run_id in run_ids}
    steps = _sampled({step for points in of_runs.values() for _, step, _ in points}, start, end, limit)
    found = []
    for run_id, points in of_runs.items():
        last = max((step for _, step, _ in points if start is None or start <= step <= end), default=None)
        found += [_document(run_id, key, each) for each in points if each[1] in steps or each[1] == last]
    found.sort(key=lambda each: (each["run_id"], each["step"], each["timestamp"]))
    return {"metrics": found} if found else {}


def points_of(asked: Asked, run_id: str, key: str) -> Points:
    """All points of a metric; none if the run never logged it."""
    try:
        series = asked.client.index.series(run_id, ours(key))
    except NotFound:
        return []
    times = series.times // 1_000_000
    order = np.lexsort((series.values, series.steps, times))
    found = zip(times[order].tolist(), series.steps[order].tolist(), series.values[order].tolist(), strict=True)
    return list({_place(each): each for each in found}.values())


def _place(point: tuple[int, int, float]) -> tuple[int, int, str]:
    """What equal points share; NaN is equal to itself here."""
    return point[0], point[1], float(point[2]).hex()


def _about(asked: Asked, run_id: str, key: str) -> dict[tuple[int, int, str], dict[str, str]]:
    """Which model and which data points are about."""
    found = {}
    for place, kept in asked.ledger.of_kind("metric").items():
        if kept["run_id"] == run_id and kept["key"] == key and place:
            point = (kept["timestamp"], kept.get("step", 0), float(kept["value"]))
            found[_place(point)] = {
                name: kept[name] for name in ("model_id", "dataset_name", "dataset_digest") if kept.get(name)
            }
    return found


def _document(run_id: str, key: str, point: tuple[int, int, float]) -> dict[str, Any]:
    time_ms, step, value = point
    return {"key": key, "value": number(value), "timestamp": time_ms, "step": step, "run_id": run_id}


def _check_runs(run_ids: list[str], name: str) -> None:
    if len(run_ids) > _MOST_RUNS:
        raise MlflowError(
            f"A request for histories must specify at most {_MOST_RUNS} {name}. Received {len(run_ids)} {name}."
        )


def _sampled(steps: set[int], start: int | None, end: int | None, limit: int) -> set[int]:
    """So many of the steps, evenly, with the first and the last."""
    wanted = sorted(step for step in steps if start is None or end is None or start <= step <= end)
    if len(wanted) <= limit:
        return set(wanted)
    places = np.unique(np.linspace(0, len(wanted) - 1, limit).astype(int))
    return {wanted[place] for place in places.tolist()}


def _first(found: Iterable[dict[str, Any]], limit: int) -> list[dict[str, Any]]:
    taken: list[dict[str, Any]] = []
    for each in found:
        if len(taken) >= limit:
            break
        taken.append(each)
    return taken
