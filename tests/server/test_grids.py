"""Points of a grid, asked for over HTTP."""

from tests.server.serving import Served


def test_missing_points_are_counted_and_then_queued(served: Served) -> None:
    gone = 'not (config.optim.lr == 0.1 and config.model.depth == 2 and config.optim.name == "sgd")'
    lone = [run["id"] for run in served.get("/runs", project="weld-seam", query=f"not ({gone})", limit=50)["runs"]]
    served.send("POST", "/actions", {"action": "trash", "runs": lone})
    asked = {
        "project": "weld-seam",
        "points": [{"optim.lr": 0.1, "model.depth": 2, "optim.name": "sgd"}, {"optim.lr": 0.01, "model.depth": 2}],
    }

    counted = served.send("POST", "/grids/points", asked | {"points": asked["points"][:1], "is_dry": True})
    queued = served.send("POST", "/grids/points", asked | {"points": asked["points"][:1]})

    assert (counted["new"], counted["runs"]) == (3, [])
    assert len(queued["runs"]) == 3
    rows = {row["id"]: row for row in served.get("/queue", project="weld-seam")["rows"]}
    assert set(rows) == set(queued["runs"])
    made = served.get(f"/runs/{queued['runs'][0]}")
    assert made["config"]["optim"] == {"lr": 0.1, "name": "sgd", "momentum": 0.9}
    assert made["name"] == "lr=0.1,name=sgd,depth=2/s0"
    again = served.send("POST", "/grids/points", asked | {"points": asked["points"][:1]})
    assert (again["new"], again["present"]) == (0, 3)


def test_a_failed_point_is_tried_again(served: Served) -> None:
    failed = served.client.index.find('state == "FAILED"', project="weld-seam", limit=1)[0]
    point = {
        "optim.lr": failed.config["optim"]["lr"],
        "optim.name": failed.config["optim"]["name"],
        "model.depth": failed.config["model"]["depth"],
    }

    found = served.send("POST", "/grids/points", {"project": "weld-seam", "points": [point]})

    assert found["new"] == 0
    assert failed.id in found["runs"]


def test_what_cannot_be_a_point_is_refused(served: Served) -> None:
    for point, status in (({"optim.lr": 77}, 422), ({"seed": 1}, 422), ({}, 422), ({"nothing": None}, 422)):
        served.send("POST", "/grids/points", {"project": "weld-seam", "points": [point]}, status=status)
    served.send("POST", "/grids/points", {"project": "none", "points": [{"a": 1}]}, status=422)
