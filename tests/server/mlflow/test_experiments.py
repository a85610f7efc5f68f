"""Experiments over HTTP."""

import pytest

from tests.server.mlflow.conftest import Api


def names(api: Api, **question: object) -> list[str]:
    return [each["name"] for each in api.post("experiments/search", **question).get("experiments", ())]


def test_there_is_always_one_that_is_called_default(api: Api) -> None:
    found = api.get("experiments/get", experiment_id="0")["experiment"]

    assert (found["name"], found["lifecycle_stage"]) == ("Default", "active")
    assert names(api) == ["Default"]


def test_a_new_one_has_all_that_was_said_of_it(api: Api) -> None:
    made = api.post(
        "experiments/create", name="depth", artifact_location="s3://lake/x", tags=[{"key": "a", "value": "b"}]
    )

    found = api.get("experiments/get-by-name", experiment_name="depth")["experiment"]
    assert found == api.get("experiments/get", **made)["experiment"]
    assert (found["artifact_location"], found["tags"]) == ("s3://lake/x", [{"key": "a", "value": "b"}])
    assert found["creation_time"] == found["last_update_time"] > 1_600_000_000_000
    assert isinstance(found["experiment_id"], str)


def test_names_are_there_once_among_active_and_deleted(api: Api) -> None:
    number = api.experiment("depth")
    api.refused("experiments/create", "already exists", code="RESOURCE_ALREADY_EXISTS", name="depth")
    api.post("experiments/delete", experiment_id=number)

    api.refused("experiments/create", "already exists", code="RESOURCE_ALREADY_EXISTS", name="depth")
    assert api.get("experiments/get-by-name", experiment_name="depth")["experiment"]["lifecycle_stage"] == "deleted"


@pytest.mark.parametrize(
    ("name", "part"), [("x" * 501, "exceeds the maximum length"), (" ", "Invalid experiment name")]
)
def test_a_name_must_be_one(api: Api, name: str, part: str) -> None:
    api.refused("experiments/create", part, name=name)


def test_one_that_is_not_there_is_told_so(api: Api) -> None:
    missing = api.get("experiments/get", 404, experiment_id="77")
    unnamed = api.get("experiments/get-by-name", 404, experiment_name="none")

    assert "No Experiment with id=77 exists" in missing["message"]
    assert missing["error_code"] == unnamed["error_code"] == "RESOURCE_DOES_NOT_EXIST"


def test_a_deleted_one_takes_its_runs_with_it_and_brings_them_back(api: Api) -> None:
    number = api.experiment()
    run_id = api.run(number)

    api.post("experiments/delete", experiment_id=number)

    assert api.get("runs/get", run_id=run_id)["run"]["info"]["lifecycle_stage"] == "deleted"
    api.refused("runs/create", "The experiment ID must be in the 'active' state", experiment_id=number)
    api.refused("experiments/set-experiment-tag", "'active' state", experiment_id=number, key="a", value="b")
    assert names(api, view_type="DELETED_ONLY") == ["first"]
    api.post("experiments/restore", experiment_id=number)
    assert api.get("runs/get", run_id=run_id)["run"]["info"]["lifecycle_stage"] == "active"


def test_a_new_name_is_carried_by_its_runs(api: Api) -> None:
    number, other = api.experiment("before"), api.experiment("other")
    run_id = api.run(number)

    api.post("experiments/update", experiment_id=number, new_name="after")

    assert api.found("", experiments=(number,))
    assert api.served.client.index.get(run_id).experiment == "after"
    assert api.run(number)
    api.refused("experiments/update", "already exists", experiment_id=other, new_name="after")


def test_tags_are_set_replaced_and_deleted(api: Api) -> None:
    number = api.experiment()
    for value in ("1", "2"):
        api.post("experiments/set-experiment-tag", experiment_id=number, key="team", value=value)
    assert api.get("experiments/get", experiment_id=number)["experiment"]["tags"] == [{"key": "team", "value": "2"}]

    api.post("experiments/delete-experiment-tag", experiment_id=number, key="team")

    assert "tags" not in api.get("experiments/get", experiment_id=number)["experiment"]
    api.refused(
        "experiments/delete-experiment-tag", "No tag with name: team", answer=404, experiment_id=number, key="team"
    )
    api.refused(
        "experiments/set-experiment-tag", "exceeds the maximum length", experiment_id=number, key="k", value="v" * 5001
    )
    api.post("experiments/set-experiment-tag", experiment_id=number, key="k" * 250, value="v" * 5000)
    api.post("experiments/set-experiment-tag", experiment_id=number, key="empty", value="")


def test_the_newest_comes_first_and_orders_can_be_asked_for(api: Api) -> None:
    for name in ("b", "a", "c"):
        api.experiment(name)

    assert set(names(api)) == {"a", "b", "c", "Default"}
    assert names(api)[-1] == "Default"
    assert names(api, order_by=["name ASC"]) == ["Default", "a", "b", "c"]
    assert names(api, order_by=["name DESC"], max_results=2) == ["c", "b"]
    assert names(api, order_by=["experiment_id"]) == ["Default", "b", "a", "c"]
    assert names(api, order_by=["last_update_time DESC", "creation_time"])[-1] == "Default"
    assert names(api, order_by=["tags.none"]) == ["c", "a", "b", "Default"]  # what is equal: the highest id first
    by_get = api.get("experiments/search", max_results=2, order_by=["name DESC", "experiment_id ASC"])
    assert [each["name"] for each in by_get["experiments"]] == ["c", "b"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("name = 'alpha'", ["alpha"]),
        ("name != 'alpha' AND name LIKE '%a'", ["beta"]),
        ("name ILIKE 'AL%'", ["alpha"]),
        ("tags.team = 'x'", ["alpha"]),
        ("tags.team IS NULL AND name LIKE '_eta'", ["beta"]),
        ("tags.team IS NOT NULL", ["alpha"]),
        ("creation_time > 0 AND attribute.name = 'beta'", ["beta"]),
        ("creation_time = 0", []),
        ("tags.`team` != 'y' AND last_update_time > 1600000000000", ["alpha"]),
        ("tags.\"team\" ILIKE 'X'", ["alpha"]),
    ],
)
def test_filters(api: Api, text: str, found: list[str]) -> None:
    first, _ = api.experiment("alpha"), api.experiment("beta")
    api.post("experiments/set-experiment-tag", experiment_id=first, key="team", value="x")

    assert names(api, filter=text) == found


@pytest.mark.parametrize(
    "text",
    [
        "name > 'a'",
        "colour = 'x'",
        "name = alpha",
        "name = 'a' OR name = 'b'",
        "metrics.a > 1",
        "creation_time LIKE '1'",
    ],
)
def test_filters_that_make_no_sense_are_refused(api: Api, text: str) -> None:
    api.refused("experiments/search", "", code="INVALID_PARAMETER_VALUE", filter=text)


def test_pages_end_and_their_tokens_belong_to_one_question(api: Api) -> None:
    for name in ("a", "b", "c"):
        api.experiment(name)
    first = api.post("experiments/search", max_results=2)

    second = api.post("experiments/search", max_results=2, page_token=first["next_page_token"])

    assert len(first["experiments"]) == len(second["experiments"]) == 2
    assert "next_page_token" not in second
    api.refused("experiments/search", "page token", filter="name = 'a'", page_token=first["next_page_token"])
    api.refused("experiments/search", "page token", page_token="x")


def test_a_location_is_a_label_and_never_a_path(api: Api) -> None:
    number = api.post("experiments/create", name="x", artifact_location="file:///etc")["experiment_id"]
    run_id = api.run(number)

    assert (
        api.get("runs/get", run_id=run_id)["run"]["info"]["artifact_uri"]
        == f"mlflow-artifacts:/{number}/{run_id}/artifacts"
    )
    assert api.send("GET", "/get-artifact", params={"run_id": run_id, "path": "passwd"}).status_code == 404
    for odd in ("file:///a#b", "s3://x/../y"):
        api.refused("experiments/create", "artifact_location", name=odd, artifact_location=odd)


def test_experiments_of_runyards_own_runs_are_seen(api: Api) -> None:
    from tests.client.travelling import a_spec

    api.served.client.submit([a_spec(project=api.project, experiment="learning rate", is_queued=False)])

    found = api.get("experiments/get-by-name", experiment_name="learning rate")["experiment"]
    runs = api.post("runs/search", experiment_ids=[found["experiment_id"]])["runs"]
    assert [run["info"]["run_name"] for run in runs] == ["a run"]
    api.refused(
        "runs/log-metric", "recorded by Runyard", run_id=runs[0]["info"]["run_id"], key="a", value=1, timestamp=1
    )
