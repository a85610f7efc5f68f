"""The dialect on a server with accounts."""

from tests.server.team import OPEN, PRIVATE, Team

SEARCH = "/api/2.0/mlflow/runs/search"


def test_a_private_project_is_closed_to_others(shared_team: Team) -> None:
    def status(who: str, project: str) -> int:
        return shared_team.ask("POST", f"/mlflow/{project}{SEARCH}", who, {"experiment_ids": ["0"]}).status_code

    assert [status(who, PRIVATE) for who in ("ada", "mia", "max", "vic", "restricted")] == [200, 200, 403, 403, 403]
    assert [status(who, OPEN) for who in ("max", "restricted")] == [200, 200]


def test_runs_of_runyard_are_seen_with_their_settings_and_numbers(shared_team: Team) -> None:
    api = f"/mlflow/{PRIVATE}/api/2.0/mlflow"
    listed = shared_team.ask("POST", f"{api}/experiments/search", "mia", {}).json()["experiments"]
    number = next(each["experiment_id"] for each in listed if each["name"] == "learning rate")
    question = {"experiment_ids": [number], "filter": "params.`optim.lr` = '0.1' and attributes.status = 'FINISHED'"}

    runs = shared_team.ask("POST", f"/mlflow/{PRIVATE}{SEARCH}", "mia", question).json()["runs"]

    assert len(runs) > 3
    assert all(each["value"] for run in runs for each in run["data"]["metrics"] if each["key"] == "val/accuracy")
    run_id = runs[0]["info"]["run_id"]
    points = {"run_id": run_id, "metric_key": "val/loss"}
    assert len(shared_team.ask("GET", f"{api}/metrics/get-history", "mia", params=points).json()["metrics"]) == 40


def test_health_and_version_are_told_without_a_token(shared_team: Team) -> None:
    for path in ("health", "version"):
        assert shared_team.ask("GET", f"/mlflow/{PRIVATE}/{path}").status_code == 200


def test_who_may_only_look_writes_nothing(shared_team: Team) -> None:
    answer = shared_team.ask("POST", f"/mlflow/{OPEN}/api/2.0/mlflow/runs/create", "vic", {})

    assert (answer.status_code, answer.json()["error_code"]) == (403, "PERMISSION_DENIED")
    assert "needs the role 'member'" in answer.json()["message"]


def test_who_is_nobody_is_told_so_in_the_dialect(shared_team: Team) -> None:
    nobody = shared_team.ask("POST", f"/mlflow/{OPEN}{SEARCH}", None, {"experiment_ids": ["0"]})
    wrong = shared_team.ask("POST", f"/mlflow/{OPEN}{SEARCH}", None, {}, headers={"Authorization": "Bearer ry_none"})

    for answer in (nobody, wrong):
        assert (answer.status_code, answer.json()["error_code"]) == (401, "UNAUTHENTICATED")
        assert answer.json()["message"]
