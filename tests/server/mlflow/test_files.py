"""Artifacts through the server."""

import http.client

import pytest

from tests.server.mlflow.conftest import Api

TREE = "/api/2.0/mlflow-artifacts/artifacts"


def put(api: Api, path: str, content: bytes = b"x") -> int:
    return api.send("PUT", f"{TREE}/{path}", content=content).status_code


def listed(api: Api, path: str) -> list[tuple[str, bool, int | None]]:
    files = api.send("GET", TREE, params={"path": path}).json()["files"]
    return [(each["path"], each["is_dir"], each.get("file_size")) for each in files]


def test_a_file_of_a_run_comes_and_goes(api: Api) -> None:
    run_id = api.run()
    root = f"0/{run_id}/artifacts"

    assert put(api, f"{root}/notes/a.txt", b"hello") == put(api, f"{root}/b.bin", b"\0" * 2_500_000) == 200

    assert api.send("GET", f"{TREE}/{root}/notes/a.txt").content == b"hello"
    assert len(api.send("GET", f"{TREE}/{root}/b.bin").content) == 2_500_000
    assert listed(api, root) == [("b.bin", False, 2_500_000), ("notes", True, None)]
    assert listed(api, f"{root}/notes") == [("a.txt", False, 5)]
    assert listed(api, f"{root}/notes/a.txt") == listed(api, f"{root}/none") == []
    of_run = api.get("artifacts/list", run_id=run_id, path="notes")
    assert of_run == {
        "root_uri": f"mlflow-artifacts:/{root}",
        "files": [{"path": "notes/a.txt", "is_dir": False, "file_size": 5}],
    }
    stored = {file.name for file in api.served.client.index.artifacts(run_id)}
    assert stored == {"notes/a.txt", "b.bin"}


def test_a_file_that_comes_again_takes_the_place_of_the_first(api: Api) -> None:
    run_id = api.run()
    for content in (b"one", b"three"):
        put(api, f"0/{run_id}/artifacts/a.txt", content)

    assert listed(api, f"0/{run_id}/artifacts") == [("a.txt", False, 5)]
    assert len(api.served.client.index.artifacts(run_id)) == 1


def test_files_and_folders_are_deleted_and_stay_so(api: Api) -> None:
    run_id = api.run()
    root = f"0/{run_id}/artifacts"
    for name in ("a/1", "a/2", "ab", "b"):
        put(api, f"{root}/{name}")

    assert api.send("DELETE", f"{TREE}/{root}/a").json() == {}
    assert api.send("DELETE", f"{TREE}/{root}/b").status_code == 200
    assert api.send("DELETE", f"{TREE}/{root}/none").status_code == 200

    assert [name for name, _, _ in listed(api, root)] == ["ab"]
    api.served.client.reindex()
    assert [name for name, _, _ in listed(api, root)] == ["ab"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("MLmodel", "text/plain"), ("MLproject", "text/plain"), ("a.py", "text/plain"), ("conda.yaml", "text/plain"),
     ("x.log", "text/plain"), ("model.pkl", "application/octet-stream"), ("a.png", "image/png"),
     ("odd", "application/octet-stream")],
)  # fmt: skip
def test_the_type_follows_from_the_name_and_nothing_else(api: Api, name: str, kind: str) -> None:
    run_id = api.run()
    put(api, f"0/{run_id}/artifacts/{name}")
    by_page = {"run_id": run_id, "path": name}

    answers = [
        api.send("GET", f"{TREE}/0/{run_id}/artifacts/{name}", headers={"Accept": "text/html"}),
        api.send("GET", "/get-artifact", params=by_page),
        api.send("GET", "/get-artifact", params={"run_uuid": run_id, "path": name}),
    ]

    for answer in answers:
        assert answer.headers["content-type"].partition(";")[0] == kind
        assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_files_may_lie_anywhere_in_the_tree(api: Api) -> None:
    for path in ("a.txt", "dir/b.txt", "some/deep/place/c.txt"):
        assert put(api, path, path.encode()) == 200

    assert [name for name, _, _ in listed(api, "")] == ["a.txt", "dir", "some"]
    assert api.send("GET", f"{TREE}/dir/b.txt").content == b"dir/b.txt"
    assert api.send("DELETE", f"{TREE}/dir/b.txt").status_code == 200
    assert api.send("GET", f"{TREE}/dir/b.txt").status_code == 404
    assert api.post("runs/search", experiment_ids=["0"]) == {}  # what carries them is no run of a client


@pytest.mark.parametrize(
    "path",
    ["../x", "a/../../x", "%2e%2e/x", "..%2fx", "%252e%252e%252fx", "a/%2e%2e/b", "..\\x", "%5c..%5cx", "/etc/passwd",
     "file:///etc/passwd", "C:/x", "a%00b", "a%0ab"],
)  # fmt: skip
def test_paths_that_lead_elsewhere_are_invalid(api: Api, path: str) -> None:
    run_id = api.run()
    found = [
        api.send("GET", TREE, params={"path": path}),
        api.send("GET", "/get-artifact", params={"run_id": run_id, "path": path}),
        api.send("GET", "/model-versions/get-artifact", params={"name": "a", "version": "1", "path": path}),
        api.send("GET", "/api/2.0/mlflow/artifacts/list", params={"run_id": run_id, "path": path}),
    ]
    for answer in found:
        assert answer.status_code == 400, answer.text
        assert "Invalid path" in answer.json()["message"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["../x", "%2e%2e/x", "%252e%252e/x", "a/..%2f..%2fx", "..%5cx"])
def test_addresses_that_lead_elsewhere_are_invalid(api: Api, method: str, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", api.served.port, timeout=30)
    try:
        connection.request(method, f"{api.base}{TREE}/{path}", body=b"x" if method == "PUT" else None)
        answer = connection.getresponse()
        assert answer.status == 400
        assert b"Invalid path" in answer.read()
    finally:
        connection.close()


def test_parts_and_signed_addresses_are_for_object_stores(api: Api) -> None:
    for step in ("create", "complete", "abort"):
        answer = api.send("POST", f"/api/2.0/mlflow-artifacts/mpu/{step}/a", json={})
        assert (answer.status_code, answer.json()["error_code"]) == (501, "NOT_IMPLEMENTED")
    assert api.send("GET", "/api/2.0/mlflow-artifacts/presigned/a").status_code == 501


def test_nothing_goes_into_a_run_that_is_deleted_or_not_there(api: Api) -> None:
    run_id = api.run()
    api.post("runs/delete", run_id=run_id)

    assert put(api, f"0/{run_id}/artifacts/a") == 400
    assert put(api, "0/0123456789/artifacts/a") == 404
    assert put(api, f"0/{run_id}/artifacts") == 400
    assert api.send("PUT", f"{TREE}/0/0123456789/artifacts/a", content=b"x" * 3_000_000).status_code == 404


def test_the_page_brings_a_file(api: Api) -> None:
    run_id = api.run()
    place = {"run_uuid": run_id, "path": "from/page.txt"}

    bare = api.send("POST", "/ajax-api/2.0/mlflow/upload-artifact", params=place, content=b"hi")
    answer = api.send(
        "POST", "/ajax-api/2.0/mlflow/upload-artifact", params=place, content=b"hi", headers={"X-Runyard": "1"}
    )

    assert bare.status_code == 403  # any page could send it
    assert answer.status_code == 200
    assert api.send("GET", "/get-artifact", params=place).content == b"hi"
