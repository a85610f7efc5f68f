"""The queue, machines, mornings, the disk, the trash and saved views."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runyard.client import Client
from runyard.devices import Holder, SlotLock
from runyard.queue import WorkerRow
from runyard.queue.reports import MachineReport, SlotReport
from runyard.records import RunId, RunState, WorkerId
from tests.nvml.machine import fake_machine
from tests.server.serving import Served, serving


def test_the_queue_says_who_is_next_and_why_others_wait(shared: Served) -> None:
    found = shared.get("/queue")

    waiting = [row for row in found["rows"] if row["state"] == "QUEUED"]
    held = [row for row in found["rows"] if row["state"] == "HELD"]
    assert [row["place"] for row in waiting] == list(range(1, len(waiting) + 1))
    assert waiting[0]["priority"] == 5
    assert waiting[1]["reason"] == "1 before it"
    assert {row["reason"] for row in held} == {"waits for new data"}
    assert found["counts"] == {"waiting": len(waiting), "held": 2, "leased": 0, "paused": 0}
    assert found["eta_s"] > 0


def test_a_paused_project_says_so(served: Served) -> None:
    served.send("POST", "/projects/paint-check/pause")

    rows = served.get("/queue", project="paint-check")["rows"]
    assert any("paused by" in row["reason"] for row in rows)
    served.send("POST", "/projects/paint-check/resume")
    assert served.get("/queue")["paused"] == {}


def test_machines_show_who_is_on_a_slot(served: Served) -> None:
    running = served.client.index.find('state == "RUNNING"', limit=1)[0]
    ours, foreign = SlotLock("cpu-0"), SlotLock("cpu-1")
    ours.try_acquire(Holder(pid=1, user="anna", run_id=running.id))
    foreign.try_acquire(Holder(pid=2, user="jon", what="a notebook"))

    machine = served.get("/machines")["machines"][0]
    ours.release()
    foreign.release()

    first, second = (slot for slot in machine["slots"] if slot["kind"] == "cpu")
    assert (first["state"], first["run_name"], first["user"]) == ("running", running.name, "anna")
    assert 0 < first["progress"] < 1 or first["progress"] == 0
    assert second["state"] == "busy"
    assert "a notebook" in second["reason"]


def test_other_machines_show_what_their_workers_told(served: Served) -> None:
    queue, now = served.client.queue, time.time()
    row = served.client.index.find('state == "RUNNING" and host == "ws2"', limit=1)[0]
    slots = (
        SlotReport(name=row.devices[0], kind="gpu", label="GPU 0", device="H100", reason="held", run_id=row.id),
        SlotReport(name="GPU-b", kind="gpu", label="GPU 1", reason="used by jon", power_w=90.0),
        SlotReport(name="GPU-c", kind="gpu", label="GPU 2", reason="held", run_id=_ended(served), user="anna"),
        SlotReport(name="GPU-d", kind="gpu", label="GPU 3", reason="fallen off the bus", is_sick=True),
        SlotReport(name="cpu-0", kind="cpu", label="CPU 0"),
    )
    told = MachineReport(cpu_percent=7.5, memory_used_bytes=1, memory_total_bytes=2, disk_free_bytes=3, slots=slots)
    worker = WorkerRow(
        worker_id=WorkerId("w"), host="ws2", user="u", pid=1, home="/h", slots=("GPU-b",), seen_at=now, report=told
    )

    before = {machine["host"]: machine for machine in served.get("/machines")["machines"]}["ws2"]
    served.send("PUT", "/machines/ws2/slots/GPU-c/reservation", {"hours": 1}, status=404)  # not heard of it yet
    queue.see_worker(worker)
    served.app.state.machines.forget()
    after = {machine["host"]: machine for machine in served.get("/machines")["machines"]}["ws2"]
    served.send("PUT", "/machines/ws2/slots/GPU-c/reservation", {"hours": 1})

    assert row.id in {slot["run_id"] for slot in before["slots"]}
    assert after["cpu_percent"] == 7.5
    shown = {slot["label"]: slot for slot in reversed(after["slots"]) if slot["kind"] == "gpu"}
    assert {label: shown[label]["state"] for label in ("GPU 0", "GPU 1", "GPU 2", "GPU 3")} == {
        "GPU 0": "running",
        "GPU 1": "busy",
        "GPU 2": "free",
        "GPU 3": "sick",
    }
    assert (shown["GPU 0"]["run_name"], shown["GPU 1"]["power_w"]) == (row.name, 90.0)


def _ended(served: Served) -> str:
    return served.client.index.find('state == "COMPLETED"', limit=1)[0].id


def test_the_morning_folds_equal_failures_and_names_the_best(shared: Served) -> None:
    found = shared.get("/morning")

    assert found["ended"]["COMPLETED"] > 30
    assert found["failures"][0]["count"] == 4
    assert len(found["failures"][0]["runs"]) == 4
    best = next(each for each in found["best"] if each["grid"] == "lr-depth-7f3a" and each["goal"] == "max")
    rows = shared.client.index.find('state == "COMPLETED"', project="weld-seam", sort="-metric:val/accuracy.max")
    assert best["run"] == rows[0].id
    assert best["value"] == pytest.approx(rows[0].summary["val/accuracy"].max)


def test_the_morning_of_a_later_time_compares_with_what_was_before(shared: Served) -> None:
    rows = shared.client.index.find('state == "COMPLETED"', project="weld-seam", sort="ended_at")
    last, before = rows[-1], rows[:-1]
    assert last.ended_at is not None

    found = shared.get("/morning", project="weld-seam", since=(last.ended_at - timedelta(seconds=1)).isoformat())

    best = next(each for each in found["best"] if each["goal"] == "max")
    assert best["run"] == last.id
    assert best["previous"] == pytest.approx(max(row.summary["val/accuracy"].max or 0 for row in before))
    assert shared.get("/morning", since=datetime.now(UTC).isoformat())["ended"] == {}


def test_the_disk_adds_up(shared: Served) -> None:
    found = shared.get("/disk")

    assert found["total_bytes"] == sum(found["kinds"].values()) + found["trash_bytes"]
    assert {each["name"] for each in found["projects"]} == {"weld-seam", "paint-check"}
    assert len(found["runs"]) == 50
    ours = shared.get("/disk", project="weld-seam")
    assert {each["project"] for each in ours["runs"]} == {"weld-seam"}


def test_the_trash_gives_back_and_lets_go(served: Served, one: RunId) -> None:
    served.send("POST", "/actions", {"action": "trash", "runs": [one]})
    assert {run["id"] for run in served.get("/trash")["runs"]} >= {one}
    assert one not in {run["id"] for run in served.get("/runs", limit=500)["runs"]}

    served.send("POST", "/actions", {"action": "restore", "runs": [one]})
    assert one in {run["id"] for run in served.get("/runs", limit=500)["runs"]}

    freed = served.send("POST", "/trash/empty")
    assert freed["runs"] == 1
    assert freed["size_bytes"] > 0
    assert served.get("/trash") == {"total": 0, "runs": [], "checkpoints": []}


def test_views_are_saved_for_all(served: Served) -> None:
    view = {"query": "seed == 1", "columns": ["optim.lr", "val/accuracy.max"], "sort": None, "width": 3.5}

    served.send("PUT", "/views/best", view)
    served.send("PUT", "/views/other", {})
    served.send("DELETE", "/views/other")

    assert served.get("/views")["views"] == {"best": view}
    assert served.get("/views/best") == {"name": "best", "view": view}
    served.send("DELETE", "/views/other", status=404)


def test_a_view_that_is_too_large_is_refused(served: Served) -> None:
    assert "KiB" in served.send("PUT", "/views/x", {"q": "x" * 100_000}, status=422)["error"]


def test_views_of_another_version_are_left_alone(served: Served) -> None:
    (served.path / "views.json").write_text('{"format": 99}')

    served.get("/views", 503)
    served.send("PUT", "/views/x", {}, status=503)

    assert (served.path / "views.json").read_text() == '{"format": 99}'


# ---- actions ----


def test_an_action_does_what_it_can_and_says_why_not_else(served: Served, one: RunId) -> None:
    waiting = served.client.index.find('state == "QUEUED"', limit=1)[0].id

    found = served.send("POST", "/actions", {"action": "stop", "runs": [waiting, one, "nobody"], "value": "no need"})

    assert found["done"] == [waiting]
    assert [each["id"] for each in found["refused"]] == [one, "nobody"]
    assert "has ended already" in found["refused"][0]["why"]
    assert served.client.index.get(waiting).state == RunState.STOPPED
    assert "no need" in served.client.index.get(waiting).reason


def test_an_ended_run_is_queued_again(served: Served) -> None:
    failed = served.client.index.find('state == "FAILED"', limit=1)[0].id

    assert served.send("POST", "/actions", {"action": "retry", "runs": [failed]})["done"] == [failed]

    assert failed in {row["id"] for row in served.get("/queue")["rows"]}


def test_the_order_of_the_queue_is_changed(served: Served) -> None:
    def order() -> list[str]:
        return [row["id"] for row in served.get("/queue")["rows"]]

    def act(action: str, *runs: str, value: str | int | None = None) -> None:
        body = {"action": action, "runs": list(runs), "value": value}
        assert (
            served.send("POST", "/actions", body)["done"] == list(dict.fromkeys(runs))[:: -1 if action == "top" else 1]
        )

    first, second, third, *_, last = order()

    act("priority", first, value=0)
    act("top", last)
    assert order()[0] == last
    act("bottom", last)
    assert order()[-1] == last
    act("before", last, value=order()[1])
    assert order()[1] == last
    act("top", second, third)
    assert order()[:2] == [second, third]


def test_what_is_held_is_released(served: Served, elsewhere: Client) -> None:
    held, other = (row.id for row in served.client.index.find('state == "HELD"', limit=2))

    assert served.send("POST", "/actions", {"action": "release", "runs": [held]})["done"] == [held]
    refused = served.send("POST", "/actions", {"action": "hold", "runs": [other]})["refused"]

    assert elsewhere.index.get(held).state == RunState.QUEUED
    assert "is HELD" in refused[0]["why"]


def test_pausing_a_project_that_nobody_has_is_refused(served: Served) -> None:
    served.send("POST", "/projects/nobody/pause", status=404)


def test_a_slot_is_reserved_and_given_back(served: Served) -> None:
    machine = served.get("/machines")["machines"][0]
    slot = next(each for each in machine["slots"] if each["state"] == "free")
    address = f"/machines/{machine['host']}/slots/{slot['name']}/reservation"

    made = served.send("PUT", address, {"hours": 3, "why": "a demonstration"})
    seen = next(each for each in served.get("/machines")["machines"][0]["slots"] if each["name"] == slot["name"])
    served.send("DELETE", address)
    after = next(each for each in served.get("/machines")["machines"][0]["slots"] if each["name"] == slot["name"])

    assert seen["state"] == "reserved"
    assert seen["reservation"] == made
    assert "a demonstration" in seen["reason"]
    assert (after["state"], after["reservation"]) == ("free", None)


def test_what_cannot_be_reserved_is_refused(served: Served) -> None:
    host = served.get("/machines")["machines"][0]["host"]
    for place, hours, status in (
        (f"{host}/slots/none", 1, 404),
        ("ws9/slots/cpu-0", 1, 404),
        (f"{host}/slots/cpu-0", 0, 422),
    ):
        served.send("PUT", f"/machines/{place}/reservation", {"hours": hours}, status=status)
    served.send("DELETE", f"/machines/{host}/slots/cpu-0/reservation", status=404)


def test_a_gpu_that_others_use_shows_user_and_process(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nvml").mkdir()
    gpus = fake_machine(tmp_path / "nvml", monkeypatch, gpus=2)
    gpus.also(f"compute 1 {os.getppid()} 9000")

    with serving(home) as served:
        slots = {slot["label"]: slot for slot in served.get("/machines")["machines"][0]["slots"]}

    assert slots["GPU 0"]["state"] == "free"
    assert slots["GPU 1"]["state"] == "busy"
    assert [each["pid"] for each in slots["GPU 1"]["used_by"]] == [os.getppid()]
    assert slots["GPU 1"]["used_by"][0]["memory_bytes"] == 9000 << 20


def test_the_first_run_in_line_says_what_it_waits_for(served: Served) -> None:
    first = next(row for row in served.get("/queue")["rows"] if row["place"] == 1)

    assert first["reason"] == "no worker is there: start one with python run.py work"


def test_a_rule_is_previewed_carried_out_and_undone(served: Served) -> None:
    seen = served.get("/disk/cleaning", rule="failed", older_than_days=0)
    assert seen["count"] == len(seen["ids"]) > 3
    assert seen["size_bytes"] > 0

    done = served.send("POST", "/disk/cleaning", {"rule": "failed", "older_than_days": 0, "plan": seen["plan"]})

    assert done["ids"] == seen["ids"]
    trashed = {run["id"] for run in served.get("/trash")["runs"]}
    assert set(seen["ids"]) <= trashed
    served.send("POST", "/disk/cleaning", {"rule": "failed", "older_than_days": 0, "plan": seen["plan"]}, status=409)
    served.send("POST", "/actions", {"action": "restore", "runs": done["ids"]})
    assert served.get("/disk/cleaning", rule="failed", older_than_days=0)["plan"] == seen["plan"]


def test_cleaned_checkpoints_stand_in_the_trash(served: Served, one: RunId) -> None:
    rows = served.client.index.find(
        'state == "COMPLETED"', project="weld-seam", limit=3, sort="metric:val/accuracy.max"
    )
    for row in rows:
        folder = served.client.folder(row.id).checkpoints
        folder.mkdir()
        (folder / "last.pt").write_bytes(b"x" * 9000)

    seen = served.get("/disk/cleaning", rule="checkpoints", older_than_days=0)
    served.send("POST", "/disk/cleaning", {"rule": "checkpoints", "older_than_days": 0, "plan": seen["plan"]})

    assert sorted(each["id"] for each in served.get("/trash")["checkpoints"]) == sorted(seen["ids"])
    served.send("POST", "/actions", {"action": "restore_checkpoints", "runs": seen["ids"]})
    assert served.get("/trash")["checkpoints"] == []


def test_a_rule_that_is_none_is_refused(served: Served) -> None:
    served.get("/disk/cleaning", 422, rule="everything")
    served.get("/disk/cleaning", 422, rule="failed", older_than_days=-1)
