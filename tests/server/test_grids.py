"""Points of a grid, asked for over HTTP."""

from tests.server.serving import Served


def test_missing_points_are_counted_and_then_queued(served: Served) -> None:
    gone = 'not (config.optim.lr == 0.1 and config.model.depth == 2 and config.optim.name == "sgd")'
    lone = [run["id"] for run in served.get("/runs", project="weld-seam", query=f"not ({gone})", limit=50)["runs"]]
    served.send("POST", "/actions", {"action": "trash", "runs": lone})
    point = {"optim.lr": 0.1, "model.depth": 2, "optim.name": "sgd"}
    asked = {"project": "weld-seam", "points": [point]}

    counted = served.send("POST", "/grids/points", asked | {"is_dry": True})
    queued = served.send("POST", "/grids/points", asked)

    assert (counted["new"], counted["runs"]) == (3, [])
    assert len(queued["runs"]) == 3
    rows = {row["id"]: row for row in served.get("/queue", project="weld-seam")["rows"]}
    assert set(rows) == set(queued["runs"])
    made = served.get(f"/runs/{queued['runs'][0]}")
    assert made["config"]["optim"] == {"lr": 0.1, "name": "sgd", "momentum": 0.9}
    assert made["name"] == "lr=0.1,name=sgd,depth=2/s0"
    again = served.send("POST", "/grids/points", asked)
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


def test_a_list_is_meant_by_its_json(served: Served) -> None:
    point = {"model.layers": "[32,32]", "crop": 64, "optim.weight_decay": 0}

    found = served.send("POST", "/grids/points", {"project": "paint-check", "points": [point], "is_dry": True})

    assert found["new"] + found["retried"] + found["present"] == 3


def test_what_cannot_be_a_point_is_refused(served: Served) -> None:
    deep: dict[str, object] = {}
    for _ in range(60):
        deep = {"a": deep}
    for point in ({"optim.lr": 77}, {"seed": 1}, {}, {"nothing": None}, {"optim.lr": 2**80}, {"optim.lr": deep}):
        served.send("POST", "/grids/points", {"project": "weld-seam", "points": [point]}, status=422)
    uneven = [{"optim.lr": 0.1}, {"model.depth": 2}]
    served.send("POST", "/grids/points", {"project": "weld-seam", "points": uneven}, status=422)
    served.send("POST", "/grids/points", {"project": "none", "points": [{"a": 1}]}, status=422)
