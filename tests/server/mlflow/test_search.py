"""The search language for runs."""

import pytest

from runyard.server.mlflow.search import _is_like
from tests.server.mlflow.conftest import Api, a_project
from tests.server.serving import Served


@pytest.fixture(scope="module")
def filled(either_server: Served) -> Api:
    """Three runs: "low" with loss 0.1, "high" with 0.9, "none" without; told apart in all other ways, too."""
    api = a_project(either_server)
    low = api.run(run_name="low", start_time=1000, user_id="anna", tags=[{"key": "team", "value": "Red"}])
    high = api.run(run_name="high", start_time=3000, user_id="bert", tags=[{"key": "team", "value": "blue"}])
    api.run(run_name="none", start_time=2000, user_id="anna")
    for run_id, loss, depth in ((low, 0.1, "3"), (high, 0.9, "10")):
        api.metric(run_id, "val/loss", loss)
        api.metric(run_id, "loss", loss)
        api.post("runs/log-parameter", run_id=run_id, key="model.depth", value=depth)
    api.metric(low, "odd", "NaN")
    api.metric(high, "odd", 1.0)
    data = {"name": "mnist", "digest": "d1", "source_type": "local", "source": "x"}
    tags = [{"key": "mlflow.data.context", "value": "train"}]
    api.post("runs/log-inputs", run_id=low, datasets=[{"dataset": data, "tags": tags}])
    api.post("runs/update", run_id=low, status="FINISHED", end_time=5000)
    return api


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {"low", "high", "none"}),
        ("metrics.loss < 0.5", {"low"}),
        ("metric.loss >= 0.9", {"high"}),
        ("metrics.`val/loss` != 0.1", {"high"}),
        ('metrics."val/loss" <= 1e-1', {"low"}),
        ("metrics.loss = 0.9 AND params.`model.depth` = '10'", {"high"}),
        ("params.model.depth = '3'", {"low"}),
        ("param.model.depth LIKE '1%'", {"high"}),
        ("params.model.depth != '3'", {"high"}),  # the key must be there
        ("params.model.depth IS NULL", {"none"}),
        ("params.model.depth IS NOT NULL and tag.team = 'Red'", {"low"}),
        ("tags.team ILIKE 're_'", {"low"}),
        ("tags.team LIKE 're_'", set()),
        ("tags.team != 'Red'", {"high"}),
        ('tags.team = "blue"', {"high"}),
        ("attributes.status = 'FINISHED'", {"low"}),
        ("status != 'FINISHED'", {"high", "none"}),
        ("attributes.start_time > 1500 and start_time < 2500", {"none"}),
        ("created >= 3000", {"high"}),
        ("end_time = 5000", {"low"}),
        ("run_name = 'low'", {"low"}),
        ("run_id != 'x' AND run_id LIKE '%'", {"low", "high", "none"}),
        ("attributes.run_id IN ('x')", set()),
        ("user_id ILIKE 'AN%' AND status NOT IN ('FINISHED')", {"none"}),
        ("datasets.digest = 'd1' AND datasets.name != 'x'", {"low"}),
        ("datasets.context NOT IN ('eval') AND datasets.name ILIKE 'MN%'", {"low"}),
        ("metrics.odd >= 0", {"high"}),  # NaN is neither
        ("params.model.depth ILIKE '1_' AND tags.team IS NOT NULL", {"high"}),
        ("tags.team IS NULL", {"none"}),
        ("`run name` LIKE '%o%'", {"low", "none"}),
        ("attributes.`Run name` ILIKE 'LO%'", {"low"}),
        ("user_id = 'anna'", {"low", "none"}),
        ("run_name IN ('low', 'high')", {"low", "high"}),
        ("run_name NOT IN ('low', 'high')", {"none"}),
        ("lifecycle_stage = 'active'", {"low", "high", "none"}),
        ("artifact_uri LIKE 'mlflow-artifacts:/%'", {"low", "high", "none"}),
        ("datasets.name = 'mnist' AND dataset.digest LIKE 'd%'", {"low"}),
        ("datasets.context = 'train'", {"low"}),
        ("datasets.name IN ('x')", set()),
        ("tags.`mlflow.user` = 'nobody'", set()),
        ("metrics.none > 0", set()),
    ],
)
def test_filters(filled: Api, text: str, found: set[str]) -> None:
    assert set(filled.found(text)) == found


@pytest.mark.parametrize(
    "text",
    [
        "metrics.loss LIKE '1'", "metrics.loss > '1'", "metrics.loss > abc", "params.a > '1'", "params.a = 1",
        "params.a = b", "tags.team IN ('a')", "status > 'a'", "start_time LIKE '1'", "colour = 'a'",
        "attributes.x = 'a'",
        "metrics.loss > 1 OR metrics.loss < 0", "metrics.loss", "metrics.loss >", "= 1", "'a' = params.a", "loss > 1",
        "datasets.colour = 'a'", "metrics. > 1", "params.a IS", "params.a IS NOT 'x'", "run_name IN 'a'",
        "run_name IN ()",
        "start_time IS NULL", "(metrics.loss > 1)", "metrics.loss == 1", "params.a = 'unclosed", "models.a = 'x'", ";",
    ],
)  # fmt: skip
def test_filters_that_make_no_sense_are_refused(filled: Api, text: str) -> None:
    filled.refused("runs/search", "", code="INVALID_PARAMETER_VALUE", experiment_ids=["0"], filter=text)


@pytest.mark.parametrize(
    ("orders", "found"),
    [
        ([], ["high", "none", "low"]),  # the latest start first
        (["metrics.loss"], ["low", "high", "none"]),
        (["metrics.loss DESC"], ["high", "low", "none"]),
        (["metrics.`val/loss` desc"], ["high", "low", "none"]),
        (["metrics.odd ASC"], ["high", "low", "none"]),  # NaN before absent, both at the end
        (["metrics.odd DESC"], ["high", "low", "none"]),
        (["params.model.depth"], ["high", "low", "none"]),
        (["tags.team DESC"], ["high", "low", "none"]),
        (["attributes.start_time"], ["low", "none", "high"]),
        (["user_id", "start_time ASC"], ["low", "none", "high"]),
        (["run_name DESC"], ["none", "low", "high"]),
        (["end_time"], ["low", "high", "none"]),
    ],
)
def test_orders(filled: Api, orders: list[str], found: list[str]) -> None:
    assert filled.found("", order_by=orders) == found


@pytest.mark.parametrize("order", ["colour", "metrics.loss UP", "metrics.loss ASC DESC", "", "metrics"])
def test_orders_that_make_no_sense_are_refused(filled: Api, order: str) -> None:
    filled.refused("runs/search", "", experiment_ids=["0"], order_by=[order])


def test_pages(filled: Api) -> None:
    first = filled.post("runs/search", experiment_ids=["0"], max_results=2)
    more = {"experiment_ids": ["0"], "page_token": first["next_page_token"]}

    second = filled.post("runs/search", max_results=2, **more)

    assert [run["info"]["run_name"] for run in second["runs"]] == ["low"]
    assert "next_page_token" not in second
    assert "next_page_token" not in filled.post("runs/search", experiment_ids=["0"], max_results=3)
    filled.refused("runs/search", "page token belongs to another query", filter="status = 'RUNNING'", **more)


def test_runs_that_began_together_are_sorted_by_their_ids(either_server: Served) -> None:
    api = a_project(either_server)
    made = [api.run(start_time=1000) for _ in range(4)]

    found = api.post("runs/search", experiment_ids=["0"], order_by=["metrics.none"])["runs"]

    assert [run["info"]["run_id"] for run in found] == sorted(made)


def test_a_found_run_shows_what_it_read_and_made(filled: Api) -> None:
    (run,) = filled.post("runs/search", experiment_ids=["0"], filter="run_name = 'low'")["runs"]

    assert run == filled.get("runs/get", run_id=run["info"]["run_id"])["run"]
    assert run["inputs"]["dataset_inputs"][0]["dataset"]["name"] == "mnist"


def test_experiments_that_are_not_there_have_no_runs(filled: Api) -> None:
    assert filled.post("runs/search", experiment_ids=["77", "abc"]) == {}
    assert filled.post("runs/search") == {}


@pytest.mark.parametrize(
    ("value", "pattern", "fits"),
    [("abc", "abc", True), ("abc", "a%", True), ("abc", "%c", True), ("abc", "%b%", True), ("abc", "a_c", True),
     ("abc", "_", False), ("", "%", True), ("ab", "a%b%c", False), ("aab", "%ab", True), ("a.c", "a.c", True),
     ("abc", "a.c", False), ("abab", "ab%ab", True), ("aba", "ab%ba", False)],
)  # fmt: skip
def test_like(value: str, pattern: str, fits: bool) -> None:
    assert _is_like(value, pattern, is_cased=True) is fits


def test_a_pattern_cannot_take_for_ever() -> None:
    assert not _is_like("a" * 5000, "%a" * 50 + "b", is_cased=True)
