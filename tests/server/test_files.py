"""Media, stored files, output and differences."""

import json
from pathlib import Path

import pytest

from runyard.client.runs import TrackedRun
from runyard.journal import HOST, JournalWriter
from runyard.journal.events import Ended, Output, OutputDropped
from runyard.records import RunId
from runyard.server import printed
from tests.server.serving import Served


def test_every_medium_is_what_training_logged(shared: Served, one_shared: RunId) -> None:
    known = TrackedRun(shared.client, shared.client.index.get(one_shared)).media()

    listed = shared.get("/media", runs=one_shared)["media"]

    assert len(listed) == len(known)
    contents = {(row.key, row.step): media for row, media in known}
    for each in listed:
        answer = shared.http.get("/api/v1/runs/{run}/media/{attempt}/{stream}/{offset}".format(**each))
        media = contents[each["key"], each["step"]]
        assert answer.content == media.data
        assert answer.headers["content-type"].partition(";")[0] == media.mime
        assert "sandbox" in answer.headers["content-security-policy"]
        assert json.loads(answer.headers["x-runyard-meta"]) == media.meta


def test_there_is_no_medium_between_two(shared: Served, one_shared: RunId) -> None:
    offset = shared.get("/media", runs=one_shared)["media"][0]["offset"]

    shared.get(f"/runs/{one_shared}/media/1/main/{offset + 1}", 404)


@pytest.mark.parametrize("name", ["weights.bin", 'a"b\r\nX: y', "../../etc/passwd", "ü 😀.png", "", "C:\\x\\y.txt"])
def test_a_file_is_a_download_under_a_harmless_name(shared: Served, one_shared: RunId, name: str) -> None:
    sha256 = shared.get(f"/runs/{one_shared}/artifacts")["artifacts"][1]["sha256"]

    answer = shared.http.get(f"/api/v1/artifacts/{sha256}", params={"name": name})

    assert answer.content == shared.client.artifacts.path(sha256).read_bytes()
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith("attachment; filename*=utf-8''")
    assert not set("/\\\"'\r\n ") & set(disposition.removeprefix("attachment; filename*=utf-8''"))
    assert answer.headers["content-type"] == "application/octet-stream"


# ---- output ----


def test_output_comes_in_pieces_without_loss(shared: Served, one_shared: RunId) -> None:
    text, offset, pieces = "", 0, 0
    while True:
        found = shared.get(f"/runs/{one_shared}/output", offset=offset, limit=60)
        text, offset, pieces = text + found["text"], found["next_offset"], pieces + 1
        if found["is_ended"]:
            break

    assert pieces > 2
    assert text == TrackedRun(shared.client, shared.client.index.get(one_shared)).output()
    assert shared.get(f"/runs/{one_shared}/output", offset=offset)["text"] == ""


def test_the_last_lines_are_found_at_once(shared: Served, one_shared: RunId) -> None:
    whole = shared.get(f"/runs/{one_shared}/output")["text"]

    tail = shared.get(f"/runs/{one_shared}/output", offset=-60)["text"]

    assert tail
    assert len(tail) < len(whole)
    assert whole.endswith(tail)


def test_output_goes_on_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "host.journal"
    assert printed.read(path, offset=0, limit=100).text == ""
    journal = JournalWriter(path, run="r1", attempt=1, stream=HOST)
    journal.event(Output(time_ns=1, text="one\n"))
    first = printed.read(path, offset=0, limit=100)
    journal.event(OutputDropped(time_ns=2, size_bytes=5000))
    schema = journal.declare(("sys/cpu_percent",))
    journal.append(schema.encode(1, 2, (50.0,)))
    journal.event(Output(time_ns=3, text="two\n"))
    second = printed.read(path, offset=first.next_offset, limit=10_000)
    journal.event(Ended(time_ns=4, state="COMPLETED"))
    third = printed.read(path, offset=second.next_offset, limit=100)
    journal.close()

    assert (first.text, first.is_over) == ("one\n", False)
    assert second.text.startswith("\n[5,000 bytes")
    assert second.text.endswith("two\n")
    assert second.dropped_bytes == 5000
    assert (third.text, third.is_over) == ("", True)
    assert third.next_offset == path.stat().st_size


def test_a_torn_record_waits_for_its_rest(tmp_path: Path) -> None:
    path = tmp_path / "host.journal"
    journal = JournalWriter(path, run="r1", attempt=1, stream=HOST)
    journal.event(Output(time_ns=1, text="one\n"))
    end = path.stat().st_size
    journal.event(Output(time_ns=1, text="two\n"))
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])

    found = printed.read(path, offset=0, limit=10_000)

    assert (found.text, found.next_offset) == ("one\n", end)
    path.write_bytes(whole)
    assert printed.read(path, offset=end, limit=10_000).text == "two\n"


def test_an_offset_within_a_record_is_refused_or_finds_nothing_wrong(shared: Served, one_shared: RunId) -> None:
    whole = shared.get(f"/runs/{one_shared}/output")["text"]
    for offset in range(1, 400):
        answer = shared.http.get(f"/api/v1/runs/{one_shared}/output", params={"offset": offset})
        assert answer.status_code in (200, 422)
        if answer.status_code == 200:
            assert answer.json()["text"] in whole


def test_an_attempt_that_never_was_has_no_output(shared: Served, one_shared: RunId) -> None:
    shared.get(f"/runs/{one_shared}/output", 404, attempt=7)


def test_a_run_that_waits_has_printed_nothing(shared: Served) -> None:
    waiting = shared.client.index.find('state == "QUEUED"', limit=1)[0].id

    assert shared.get(f"/runs/{waiting}/output")["text"] == ""


# ---- differences ----


def test_only_what_differs(shared: Served) -> None:
    ids = [row.id for row in shared.client.index.find('state == "COMPLETED"', project="weld-seam", limit=3)]

    rows = {row["key"]: row["values"] for row in shared.get("/diff", runs=",".join(ids))["rows"]}

    assert "optim.momentum" not in rows
    assert all(len(values) == 3 for values in rows.values())
    assert rows["seed"] == [shared.client.index.get(run_id).seed for run_id in ids]


@pytest.mark.parametrize("section", ["config", "metrics", "data", "packages", "environment", "output", "code"])
def test_every_section_answers(shared: Served, section: str) -> None:
    rows = shared.client.index.find('state == "COMPLETED"', project="weld-seam", limit=None)
    first = rows[0]
    other = next(row for row in rows if row.code.snapshot != first.code.snapshot)

    found = shared.get("/diff", runs=f"{first.id},{other.id}", section=section)

    assert found["runs"] == [first.id, other.id]
    if section == "code":
        assert [(row["path"], row["change"]) for row in found["rows"]] == [("src/train.py", "changed")]
        assert "+BATCHES" in found["rows"][0]["diff"]
