"""A worker whose server goes away at any moment goes on when it is back, and loses nothing."""

import time
from pathlib import Path

import pytest

from runyard.client import open_client
from runyard.client.remote import RemoteClient
from runyard.devices import discover
from runyard.project.snapshot import take
from runyard.records import CodeState
from runyard.server.addressing import Addressing
from runyard.worker import Worker
from tests.artifacts.buckets import network
from tests.client.travelling import a_spec
from tests.server.serving import serving
from tests.worker.test_worker import Holding

AWAY = 3  # requests in a row, so that no second try helps
REQUESTS = 13  # of a worker that starts, claims, fetches the code and prepares the next run


@pytest.mark.slow
def test_a_server_that_goes_away_at_any_request_costs_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = after = -1000

    def up(data: bytes) -> bytes | None:
        nonlocal asked
        asked += data.startswith((b"GET ", b"POST ", b"PUT "))
        return None if after <= asked < after + AWAY else data

    code = tmp_path / "project" / "src"
    code.mkdir(parents=True)
    clock = [time.time()]
    said: list[str] = []
    addressing = Addressing.of(("127.0.0.1",), ())
    with serving(tmp_path / "server", addressing=addressing) as served, network(served.port, up=up) as port:
        monkeypatch.setenv("RUNYARD_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("RUNYARD_HOME", str(tmp_path / "machine"))
        client = open_client()
        assert isinstance(client, RemoteClient)
        for number in range(1, REQUESTS):
            (code / "train.py").write_text(f"def train(config, run): return {number}\n")
            snapshot = take(tmp_path / "project", served.client.artifacts).id
            spec = a_spec(is_queued=True, code=CodeState(snapshot=snapshot))
            served.client.submit([spec])
            executor = Holding()
            worker = Worker(client, executor, discover()[:1], clock=lambda: clock[0], say=said.append)
            asked, after = 0, number
            for _ in range(AWAY + 3):
                worker._try(worker.step)
                clock[0] += 6  # it looks for lost claims every five seconds

            row = served.client.queue.row(spec.id)
            assert row is not None
            assert (list(executor.held), row.state, row.worker_id) == ([spec.id], "leased", worker.id), number
            after = -1000
            executor.let_go(spec.id)
            worker.close()
            served.client.queue.remove(spec.id)
        client.close()
    assert any("cannot be reached" in each for each in said)
    assert not any("could not be started" in each for each in said)
