"""How requests and answers look, whatever they are about."""

import json

import pytest

from runyard.errors import ConflictError, LoginNeeded, NotAllowed, NotFound, TooManyAttempts, UsageError
from runyard.server.mlflow import ENDPOINTS
from runyard.server.mlflow.errors import MlflowError, told
from tests.server.mlflow.conftest import Api


def test_health_and_version_are_told_to_everybody(api: Api) -> None:
    assert api.send("GET", "/health").text == "OK"
    assert api.send("GET", "/version").text.count(".") == 2


def test_what_is_not_there_is_told_in_the_dialect(api: Api) -> None:
    response = api.send("GET", "/api/3.0/mlflow/server-info")

    assert response.status_code == 404
    assert response.json()["error_code"] == "ENDPOINT_NOT_FOUND"


@pytest.mark.parametrize("path", ["registered-models/create", "model-versions/search", "traces"])
def test_what_is_no_tracking_is_told_so(api: Api, path: str) -> None:
    message = api.post(path, 404, name="x")["message"]

    assert message.startswith(f"Runyard has no '{path}'")


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
@pytest.mark.parametrize("path", ["/api/2.0/mlflow/experiments/search", "/api/2.0/mlflow-artifacts/artifacts"])
def test_a_client_that_names_no_project_is_told_where_to_go(api: Api, method: str, path: str) -> None:
    answer = api.served.http.request(method, path, json={"max_results": 1})

    assert (answer.status_code, answer.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND")
    assert f"MLFLOW_TRACKING_URI to http://127.0.0.1:{api.served.port}/mlflow/PROJECT" in answer.json()["message"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_body_of_another_kind_is_refused(api: Api, kind: str) -> None:
    answer = api.send("POST", "/api/2.0/mlflow/runs/create", content=b"{}", headers={"Content-Type": kind})
    with_header = api.send(
        "POST", "/api/2.0/mlflow/runs/create", content=b"{}", headers={"Content-Type": kind, "X-Runyard": "1"}
    )

    assert answer.status_code == 403  # what a form of any page could send
    assert with_header.status_code == 400
    assert with_header.json()["error_code"] == "BAD_REQUEST"


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_change_of_another_kind_is_refused_whatever_its_method(api: Api, method: str) -> None:
    path = "/api/2.0/mlflow/logged-models/m-0"

    answer = api.send(method, path, content=b"status=x", headers={"Content-Type": "text/plain"})

    assert (answer.status_code, answer.json()["error_code"]) == (400, "BAD_REQUEST")


@pytest.mark.parametrize("body", [b"{", b"[1]", b'"x"', b"\xff", b"[" * 5000])
def test_a_body_that_is_no_object_is_refused(api: Api, body: bytes) -> None:
    response = api.send(
        "POST", "/api/2.0/mlflow/runs/create", content=body, headers={"Content-Type": "application/json"}
    )

    assert response.status_code == 400, response.text


def test_a_page_of_another_origin_changes_nothing(api: Api) -> None:
    response = api.send(
        "POST", "/api/2.0/mlflow/experiments/create", json={"name": "x"}, headers={"Origin": "http://evil.example"}
    )

    assert response.status_code == 403
    assert response.json()["error_code"] == "PERMISSION_DENIED"


def test_a_run_may_be_named_by_its_old_name(api: Api) -> None:
    run_id = api.run()

    found = api.get("runs/get", run_uuid=run_id)["run"]["info"]
    api.post("runs/log-metric", run_uuid=run_id, key="m", value=1, timestamp=1)

    assert found["run_id"] == found["run_uuid"] == run_id
    assert api.data(run_id)["metrics"] == {"m": 1}


def test_whole_numbers_come_as_numbers_or_digits_and_go_as_numbers(api: Api) -> None:
    run_id = api.run(start_time="1234")

    api.post("runs/log-metric", run_id=run_id, key="m", value="0.5", timestamp="77", step="3")

    run = api.get("runs/get", run_id=run_id)["run"]
    assert run["info"]["start_time"] == 1234
    assert run["data"]["metrics"] == [{"key": "m", "value": 0.5, "timestamp": 77, "step": 3}]


def test_the_page_of_mlflow_is_told_the_same(api: Api) -> None:
    run_id = api.run()
    paths = {(each.method, each.path) for each in ENDPOINTS}

    core = {(method, path) for method, path in paths if path.startswith("/api/2.0/mlflow/")}
    core |= {(method, path) for method, path in paths if path.startswith("/api/2.0/mlflow-artifacts/")}
    assert {(method, f"/ajax-{path[1:]}") for method, path in core} <= paths
    assert api.send("GET", "/ajax-api/2.0/mlflow/runs/get", params={"run_id": run_id}).json() == api.get(
        "runs/get", run_id=run_id
    )


def test_a_type_may_name_its_encoding(api: Api) -> None:
    answer = api.send(
        "POST",
        "/api/2.0/mlflow/experiments/create",
        content=b'{"name": "x"}',
        headers={"Content-Type": "application/json; charset=utf-8"},
    )

    assert answer.status_code == 200


def test_a_foreign_host_is_refused(api: Api) -> None:
    answer = api.send("GET", "/api/2.0/mlflow/experiments/search", headers={"Host": "evil.example"})

    assert answer.status_code == 421  # which clients do not try again


def test_numbers_that_python_writes_into_json_are_understood(api: Api) -> None:
    run_id = api.run()
    body = f'{{"run_id": "{run_id}", "key": "m", "value": NaN, "timestamp": 1}}'.encode()

    answer = api.send(
        "POST", "/api/2.0/mlflow/runs/log-metric", content=body, headers={"Content-Type": "application/json"}
    )

    assert (answer.status_code, answer.json()) == (200, {})
    assert api.data(run_id)["metrics"] == {"m": "NaN"}


def test_unknown_fields_are_ignored(api: Api) -> None:
    assert api.post("experiments/search", max_results=5, colour="red")["experiments"]


def test_empty_results_are_empty_objects(api: Api) -> None:
    assert api.post("runs/search", experiment_ids=["0"]) == {}
    assert api.get("metrics/get-history", run_id=api.run(), metric_key="none") == {}


@pytest.mark.parametrize(
    ("sent", "back"), [("NaN", "NaN"), ("Infinity", 1.7976931348623157e308), ("-Infinity", -1.7976931348623157e308)]
)
def test_numbers_that_json_lacks_are_words(api: Api, sent: str, back: object) -> None:
    run_id = api.run()

    api.metric(run_id, "m", sent)

    assert api.data(run_id)["metrics"] == {"m": back}
    assert api.get("metrics/get-history", run_id=run_id, metric_key="m")["metrics"][0]["value"] == back


@pytest.mark.parametrize(
    ("path", "document", "part"),
    [
        ("experiments/create", {}, "Missing value for required parameter 'name'"),
        ("experiments/create", {"name": 12}, "Invalid value 12 for parameter 'name' supplied"),
        ("experiments/create", {"name": ""}, "Missing value for required parameter 'name'"),
        ("experiments/delete", {"experiment_id": 7}, "Invalid value 7 for parameter 'experiment_id' supplied"),
        ("runs/create", {"start_time": "soon"}, "Invalid value \"soon\" for parameter 'start_time' supplied"),
        ("runs/log-metric", {"run_id": "x", "key": "k", "value": 1}, "required parameter 'timestamp'"),
        ("runs/log-metric", {"run_id": "x", "key": "k", "value": "abc", "timestamp": 1}, "parameter 'value' supplied"),
        ("runs/log-metric", {"key": "k", "value": 1, "timestamp": 1}, "required parameter 'run_id'"),
        ("runs/set-tag", {"run_id": "x", "key": ["k"]}, "Invalid value [\"k\"] for parameter 'key' supplied"),
        ("runs/search", {"experiment_ids": "0"}, "Invalid value \"0\" for parameter 'experiment_ids' supplied"),
        ("runs/search", {"max_results": 50_001}, "parameter 'max_results' supplied"),
        ("runs/search", {"run_view_type": "SOME"}, "parameter 'run_view_type' supplied"),
        ("runs/log-batch", {"run_id": "x", "metrics": [{"key": "a", "value": 1}]}, "'metrics[0].timestamp'"),
        ("runs/log-batch", {"run_id": "x", "params": [{"value": "1"}]}, "required parameter 'params[0].key'"),
        ("runs/log-batch", {"run_id": "x", "tags": {"a": "b"}}, "parameter 'tags' supplied"),
        ("runs/log-batch", {"run_id": "x", "params": [{"key": "a"}]}, "required parameter 'params[0].value'"),
        ("runs/log-parameter", {"run_id": "x", "key": "k"}, "required parameter 'value'"),
        ("runs/set-tag", {"run_id": "x", "key": "k"}, "required parameter 'value'"),
        ("runs/delete-tag", {"run_id": "x"}, "required parameter 'key'"),
        ("runs/delete", {}, "required parameter 'run_id'"),
        ("runs/restore", {}, "required parameter 'run_id'"),
        ("runs/log-inputs", {}, "required parameter 'run_id'"),
        ("runs/outputs", {"run_id": "x", "models": [{"model_id": "m"}]}, "required parameter 'models[0].step'"),
        ("experiments/restore", {}, "required parameter 'experiment_id'"),
        ("experiments/update", {"new_name": "x"}, "required parameter 'experiment_id'"),
        ("experiments/set-experiment-tag", {"experiment_id": "0", "key": "k"}, "required parameter 'value'"),
        ("experiments/delete-experiment-tag", {"experiment_id": "0"}, "required parameter 'key'"),
        ("experiments/search", {"max_results": 50_001}, "parameter 'max_results' supplied"),
        ("experiments/search", {"max_results": 0}, "parameter 'max_results' supplied"),
        ("logged-models", {"name": "x"}, "required parameter 'experiment_id'"),
        ("experiments/get", {}, ""),
    ],
)
def test_what_is_missing_or_of_another_type_is_named(
    api: Api, path: str, document: dict[str, object], part: str
) -> None:
    if path == "experiments/get":
        assert "required parameter 'experiment_id'" in api.get(path, 400)["message"]
        return
    api.refused(path, part, code="INVALID_PARAMETER_VALUE", **document)


@pytest.mark.parametrize("number", [10**30, "1" * 40, -1, "abc", "1; DROP TABLE runs"])
def test_an_experiment_of_any_number_is_not_there_and_breaks_nothing(api: Api, number: object) -> None:
    response = api.send("GET", "/api/2.0/mlflow/experiments/get", params={"experiment_id": str(number)})

    assert response.status_code in (400, 404)
    for path in ("experiments/delete", "experiments/update", "runs/create", "logged-models"):
        document = {"experiment_id": str(number), "new_name": "x"}
        assert api.send("POST", f"/api/2.0/mlflow/{path}", json=document).status_code in (400, 404), path
    assert api.post("runs/search", experiment_ids=[str(number)]) == {}


def test_every_endpoint_answers_nonsense_with_a_refusal(api: Api) -> None:
    nonsense: list[object] = [{}, {"run_id": 1}, {"run_id": "x" * 300}, {"run_id": "../../etc", "key": "a", "value": 1}]
    for endpoint in ENDPOINTS:
        if endpoint.changes is None or "ajax" in endpoint.path:
            continue
        path = endpoint.path.replace("{model_id}", "m-0").replace("{path:path}", "a").replace("{key:path}", "k")
        for document in nonsense:
            more = {"params": document} if endpoint.method == "GET" else {"json": document}
            response = api.send(endpoint.method, path.replace("{step}", "create"), **more)
            assert response.status_code < 500 or response.status_code == 501, (endpoint.path, document, response.text)


@pytest.mark.parametrize(
    ("problem", "status", "code"),
    [
        (MlflowError("x"), 400, "INVALID_PARAMETER_VALUE"),
        (UsageError("x"), 400, "INVALID_PARAMETER_VALUE"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"), 400, "INVALID_PARAMETER_VALUE"),
        (OverflowError("x"), 400, "INVALID_PARAMETER_VALUE"),
        (LoginNeeded("x"), 401, "UNAUTHENTICATED"),
        (NotAllowed("x"), 403, "PERMISSION_DENIED"),
        (NotFound("x"), 404, "RESOURCE_DOES_NOT_EXIST"),
        (ConflictError("x"), 409, "RESOURCE_CONFLICT"),
        (TooManyAttempts("x", retry_after_s=1), 429, "REQUEST_LIMIT_EXCEEDED"),
        (OSError(28, "No space left"), 507, "TEMPORARILY_UNAVAILABLE"),
        (ZeroDivisionError("x"), 500, "INTERNAL_ERROR"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_problem_has_its_status_and_its_code(problem: Exception, status: int, code: str) -> None:
    told_status, body = told(problem)

    document = json.loads(body)
    assert (told_status, document["error_code"]) == (status, code)
    assert document["message"]


def test_the_address_that_clients_print_leads_to_the_dashboard(api: Api) -> None:
    answer = api.send("GET", "/")

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
