"""The table: pages of runs, columns, groups; and everything about one run."""

from datetime import UTC, datetime
from typing import Any

import pytest

from runyard.client import documents
from runyard.index.groups import group_runs
from runyard.records import RunId, RunSpec, new_run_id
from tests.server.serving import Served

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_a_page_holds_the_runs_that_the_index_finds_in_its_order(shared: Served) -> None:
    query, sort = 'state == "COMPLETED"', "-metric:val/accuracy.max"

    page = shared.get("/runs", project="weld-seam", query=query, sort=sort, offset=3, limit=5)

    found = shared.client.index.find(query, project="weld-seam", sort=sort)
    assert page["total"] == len(found)
    assert page["offset"] == 3
    assert [run["id"] for run in page["runs"]] == [row.id for row in found[3:8]]


def test_a_run_is_the_document_of_the_command_line(shared: Served, one_shared: RunId) -> None:
    run = shared.get("/runs", query=f'id == "{one_shared}"')["runs"][0]

    known = documents.run(shared.client.index.get(one_shared))
    assert run["summary"].keys() == known.pop("metrics").keys()
    assert run.keys() - {"summary"} == known.keys()
    assert run["config"] == known["config"]


def test_only_the_keys_that_are_shown_travel(shared: Served) -> None:
    run = shared.get("/runs", project="weld-seam", limit=1, metrics="lr,nope", config="optim.lr,seed,nope.x")["runs"][0]

    assert list(run["summary"]) == ["lr"]
    assert run["config"].keys() == {"optim", "seed"}
    assert list(run["config"]["optim"]) == ["lr"]


def test_not_a_number_is_null(shared: Served) -> None:
    queried = shared.client.index.find(None, project="weld-seam", limit=None)
    assert all(row.summary for row in queried)

    text = shared.http.get("/api/v1/runs?limit=500").text

    assert "NaN" not in text
    assert "Infinity" not in text


def test_a_wrong_query_says_where(shared: Served) -> None:
    query = 'state == "FAILED" and confg.lr > 1'

    problem = shared.get("/runs", 422, query=query)

    assert query[problem["position"] :].startswith("confg")
    assert problem["length"] >= 1
    assert problem["error"]


def test_columns_that_differ_come_first(shared: Served) -> None:
    columns = shared.get("/columns", project="weld-seam")

    config = {each["key"]: each for each in columns["config"]}
    assert [key for key, each in config.items() if each["distinct"] > 1] == [
        "model.depth",
        "optim.lr",
        "optim.name",
        "seed",
    ]
    assert list(config)[:4] == ["model.depth", "optim.lr", "optim.name", "seed"]
    assert config["optim.lr"]["values"] == [0.01, 0.03, 0.1]
    assert config["optim.name"]["values"] == ["adam", "sgd"]
    assert {"key": "val/accuracy", "count": 36} in columns["metrics"]
    assert "baseline" in columns["tags"]


def test_a_setting_that_some_lack_differs(shared: Served) -> None:
    config = {each["key"]: each["distinct"] for each in shared.get("/columns")["config"]}

    assert config["use_amp"] == 3
    assert config["epochs"] == 1


def test_groups_are_those_of_the_index(shared: Served) -> None:
    found = shared.get("/groups", project="weld-seam", metrics="val/accuracy.max,lr", limit=500)

    rows = shared.client.index.find(None, project="weld-seam")
    expected = {frozenset(group.run_ids): group.metrics["val/accuracy"] for group in group_runs(rows, aggregate="max")}
    assert found["total"] == len(expected)
    for group in found["groups"]:
        spread, metric = expected[frozenset(group["run_ids"])], group["metrics"]["val/accuracy.max"]
        assert metric["mean"] == pytest.approx(spread.mean)
        assert metric["std"] == pytest.approx(spread.std)
        assert metric["n"] == spread.n
        assert group["n"] == len(group["run_ids"]) == sum(group["states"].values())
        assert group["config"].keys() == {"model.depth", "optim.lr", "optim.name"}


def test_groups_by_keys_sort_by_them_and_by_metrics(shared: Served) -> None:
    by_lr = shared.get("/groups", project="weld-seam", by="optim.lr", sort="-config.optim.lr")["groups"]
    by_metric = shared.get("/groups", by="optim.lr", sort="-metric:val/accuracy.max", metrics="val/accuracy.max")

    assert [group["config"]["optim.lr"] for group in by_lr] == [0.1, 0.03, 0.01]
    assert [group["label"] for group in by_lr] == ["lr=0.1", "lr=0.03", "lr=0.01"]
    means = [group["metrics"]["val/accuracy.max"]["mean"] for group in by_metric["groups"]]
    assert means == sorted(means, reverse=True)


def test_a_group_keeps_its_id_on_every_page_and_in_every_order(shared: Served) -> None:
    def ids(**asked: Any) -> dict[str, frozenset[str]]:
        found = shared.get("/groups", project="weld-seam", **asked)["groups"]
        return {group["id"]: frozenset(group["run_ids"]) for group in found}

    everything = ids(limit=500)

    assert len(everything) == 12
    assert ids(offset=5, limit=2).items() <= everything.items()
    assert ids(sort="n", limit=500) == everything


@pytest.mark.parametrize("sort", ["-created_at", "name", "state", "n", "-duration_s", "config.optim.name", "metric:lr"])
def test_groups_sort_by_whatever_runs_sort_by(shared: Served, sort: str) -> None:
    assert shared.get("/groups", sort=sort)["total"] == shared.get("/groups")["total"]


def test_everything_about_a_run(shared: Served, one_shared: RunId) -> None:
    run = shared.get(f"/runs/{one_shared}")

    assert run["config"]["optim"]["momentum"] == 0.9
    assert run["attempts"][0]["state"] == "COMPLETED"
    assert run["environment"]["packages"]["numpy"] == "2.1.0"
    assert run["spec"]["command"][:2] == ["python", "run.py"]
    assert {each["kind"] for each in run["media"]} == {
        "image",
        "histogram",
        "confusion_matrix",
        "curve",
        "table",
        "figure",
        "text",
    }
    assert [each["name"] for each in run["artifacts"]] == ["model/config.json", "model/weights.bin"]


def test_a_failed_run_tells_its_traceback(shared: Served) -> None:
    failed = shared.client.index.find('state == "FAILED"', limit=1)[0].id

    run = shared.get(f"/runs/{failed}")

    assert run["traceback"].startswith("Traceback")
    assert run["attempts"][0]["reason"].startswith("FileNotFoundError")


def test_a_run_that_waits_has_no_attempts(shared: Served) -> None:
    waiting = shared.client.index.find('state == "QUEUED"', limit=1)[0].id

    run = shared.get(f"/runs/{waiting}")

    assert (run["attempts"], run["environment"], run["traceback"]) == ([], None, "")


def test_projects_say_what_they_are_judged_by(shared: Served) -> None:
    projects = {each["name"]: each for each in shared.get("/projects")["projects"]}

    assert projects["weld-seam"]["runs"] == 36
    assert projects["paint-check"]["running"] == 3
    assert projects["paint-check"]["metrics"] == [
        {"key": "val/accuracy", "goal": "max"},
        {"key": "val/loss", "goal": "min"},
    ]


def test_a_change_is_kept_in_the_folder_of_the_run(served: Served, one: RunId) -> None:
    changed = served.send("PATCH", f"/runs/{one}", {"name": "night", "note": "good", "add_tags": ["a", "b"]})
    served.send("PATCH", f"/runs/{one}", {"remove_tags": ["a"]})

    served.client.reindex()
    row = served.client.index.get(one)
    assert changed["name"] == row.name == "night"
    assert row.note == "good"
    assert "b" in row.tags
    assert "a" not in row.tags


def test_equal_settings_of_two_projects_are_two_groups(served: Served) -> None:
    specs = [
        RunSpec(id=new_run_id(), project=name, name="x", created_at=NOW, group="same", config={"seed": seed})
        for name in ("one", "two")
        for seed in (0, 1)
    ]
    served.client.submit(specs)
    alone = RunSpec(id=new_run_id(), project="one", name="alone", created_at=NOW)
    served.client.submit([alone])

    groups = served.get("/groups", query='project in ["one", "two"]')["groups"]

    members = sorted(sorted(group["run_ids"]) for group in groups)
    assert members == sorted([sorted(s.id for s in specs[:2]), sorted(s.id for s in specs[2:]), [alone.id]])
