"""What the real W&B wrote is taken in whole, once, and what is damaged is named."""

import os
import shutil
import struct
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard.bridges.intake import Imported
from runyard.bridges.wandb.framing import BLOCK_BYTES, HEADER, RunFile
from runyard.bridges.wandb.importing import QUIET_S, take_in
from runyard.cli.main import run
from runyard.client import Client, open_client
from runyard.client.runs import TrackedRun
from runyard.errors import NotFound
from runyard.index import RunRow

WRITTEN = Path(__file__).parent / "written"
CURRENT, OLDER = "0.31.0", "0.16.6"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with closing(open_client(tmp_path / "home")) as client:
        yield client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder `wandb` with the run that the current version wrote."""
    return Path(shutil.copytree(WRITTEN / CURRENT, tmp_path / "wandb", symlinks=True))


def the_file(folder: Path) -> Path:
    (path,) = folder.glob("*/run-*.wandb")
    return path


def bring(client: Client, folder: Path, *, age_s: float = 0.0, outside: bool = False) -> Imported:
    """Import with the files that old."""
    now_s = the_file(folder).stat().st_mtime + age_s
    return take_in(client, folder, project="weld", now_s=now_s, outside=outside)


def the_run(client: Client) -> TrackedRun:
    (row,) = client.index.find(None, project="weld")
    return TrackedRun(client, row)


def without_end(folder: Path) -> None:
    """Cut the file before its last history, as it is while a run goes on."""
    path = the_file(folder)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"_runtime", 0, data.rindex(b"_runtime")) - 200])


@pytest.mark.parametrize("version", [CURRENT, OLDER])
def test_all_that_was_logged_is_there(client: Client, tmp_path: Path, version: str) -> None:
    folder = Path(shutil.copytree(WRITTEN / version, tmp_path / "wandb", symlinks=True))

    done = bring(client, folder)

    found = the_run(client)
    row: RunRow = found.row
    assert (done.new, row.name, row.state, row.experiment, row.seed) == (1, "first", "COMPLETED", "seeds", 7)
    assert (row.note, row.tags, row.host) == ("the good one\ntwo lines", ("base", "paper"), "ws7")
    assert row.config == {
        "optim": {"lr": 0.1, "betas": [0.9, 0.99]},
        "depth": 3,
        "seed": 7,
        "nothing": None,
        "late": 5,
        "model": {"width": 64},  # of the sweep
    }
    assert row.labels["wandb.job_type"] == "train"
    assert row.labels["wandb.sweep"] == "sweep7"
    assert found.spec.command[1:] == ("/opt/weld/train.py",)
    loss = found.series("loss")
    assert (loss.steps.tolist(), loss.values.tolist()) == ([0, 1, 2, 3, 4], [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5])
    assert found.series("val.accuracy").values.tolist() == [0, 0.2, 0.4, 0.6, 0.8]
    assert found.series("done").values.tolist() == [0, 0, 0, 0, 1]
    assert (found.series("far").values.tolist(), found.series("far").steps.tolist()) == ([float("-inf")], [100])
    assert (row.summary["best"].last, row.summary["nan"].count) == (0.9, 1)
    assert found.output() == "epoch 1\nbye\n"
    assert row.started_at is not None
    assert row.ended_at is not None
    assert 0 < (row.ended_at - row.started_at).total_seconds() < 60


@pytest.mark.parametrize("version", [CURRENT, OLDER])
def test_media_are_shown_and_files_are_kept(client: Client, tmp_path: Path, version: str) -> None:
    bring(client, Path(shutil.copytree(WRITTEN / version, tmp_path / "wandb", symlinks=True)))

    found = the_run(client)
    media = {(row.key, row.step): (row.kind, event) for row, event in found.media()}
    assert {key: kind for key, (kind, _) in media.items()} == {
        ("counts", 5): "histogram",
        ("seen", 5): "image",
        ("pair", 6): "image",
        ("pair/1", 6): "image",
        ("answers", 6): "table",
        ("phase", 0): "text",
        ("phase", 2): "text",
        ("classes", 100): "text",
    }
    assert media["seen", 5][1].meta == {"caption": "dark"}
    assert media["seen", 5][1].data.startswith(b"\x89PNG")
    assert media["answers", 6][1].data == b'{"columns":["a","b"],"rows":[[1,"x"],[2,null]]}'
    assert media["classes", 100][1].data == b"[1, 2]"
    names = {file.name for file in found.artifacts()}
    assert {"wandb/summary.json", "wandb/artifacts.json"} <= names
    assert not [name for name in names if name.startswith("media/")]  # once, as media


def test_what_the_machine_did_stands_with_our_own_measurements(client: Client, folder: Path) -> None:
    bring(client, folder)

    keys = the_run(client).row.summary
    assert "sys/memory_percent" in keys
    assert keys["sys/proc.cpu.threads"].last > 0


def test_importing_again_brings_nothing_twice(client: Client, folder: Path) -> None:
    bring(client, folder)
    before = the_run(client).row

    again = bring(client, folder)

    assert (again.new, again.continued, again.known, again.points, again.problems) == (0, 0, 1, 0, [])
    assert repr(the_run(client).row) == repr(before)  # NaN is among it, which equals nothing


def test_a_run_that_goes_on_brings_what_is_new(client: Client, folder: Path) -> None:
    whole = the_file(folder).read_bytes()
    without_end(folder)
    first = bring(client, folder)
    assert the_run(client).state == "RUNNING"
    assert not [each for each in first.problems if "middle of a record" in each]  # it is being written

    the_file(folder).write_bytes(whole)
    second = bring(client, folder)

    found = the_run(client)
    assert (second.new, second.continued, found.state) == (0, 1, "COMPLETED")
    assert found.series("loss").steps.tolist() == [0, 1, 2, 3, 4]
    assert found.row.summary["far"].count == 1
    assert found.output() == "epoch 1\nbye\n"
    assert found.config["late"] == 5


def test_a_run_whose_writer_is_gone_is_lost_and_heard_of_again(client: Client, folder: Path) -> None:
    whole = the_file(folder).read_bytes()
    without_end(folder)
    done = bring(client, folder, age_s=QUIET_S + 1)
    assert the_run(client).state == "LOST"
    assert [each for each in done.problems if "ends in the middle of a record" in each]

    the_file(folder).write_bytes(whole)
    bring(client, folder)

    assert the_run(client).state == "COMPLETED"
    assert the_run(client).series("loss").steps.tolist() == [0, 1, 2, 3, 4]


def test_a_damaged_place_is_named_and_the_rest_is_read(client: Client, folder: Path) -> None:
    path = the_file(folder)
    data = bytearray(path.read_bytes())
    place = data.index(b"the good one")
    data[place] ^= 1
    path.write_bytes(data)

    done = bring(client, folder)

    assert [each for each in done.problems if f"{path} is damaged at byte" in each]
    assert done.new == 0  # the run's own record was in the block that is lost
    assert "does not say which run it is of" in done.problems[-1]


def test_behind_a_damaged_block_reading_goes_on(tmp_path: Path) -> None:
    records = [bytes([number]) * 5000 for number in range(40)]
    path = tmp_path / "run-x.wandb"
    data = bytearray(as_file(records))
    data[BLOCK_BYTES + 100] ^= 1
    path.write_bytes(data)

    file = RunFile(path)
    found = list(file.records())

    assert found == [each for each in records if each in found]
    assert len(found) > 30
    assert found[-1] == records[-1]
    assert len(file.problems) == 1


@given(cut=st.integers(min_value=0, max_value=20_000))
def test_a_file_that_is_cut_anywhere_gives_what_is_whole(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    records = [os.urandom(size) for size in (1, 20, 300, 4000, 9000, 0, 40_000)]
    whole = as_file(records)
    path = tmp_path_factory.mktemp("cut") / "run-x.wandb"
    path.write_bytes(whole[: max(len(HEADER), len(whole) - cut)])

    file = RunFile(path)
    found = list(file.records())

    assert found == records[: len(found)]
    assert file.problems == []
    assert (file.torn_bytes > 0) == (path.stat().st_size > len(as_file(records[: len(found)])))


def test_files_elsewhere_are_left_out_unless_they_are_asked_for(client: Client, folder: Path, tmp_path: Path) -> None:
    link = the_file(folder).parent / "files" / "notes.txt"
    link.unlink()
    (tmp_path / "notes.txt").write_text("kept")
    link.symlink_to(tmp_path / "notes.txt")
    other = open_client(tmp_path / "other")

    shut = bring(client, folder)
    with closing(other):
        bring(other, folder, outside=True)
        taken = {file.name for file in the_run(other).artifacts()}

    assert "notes.txt" not in {file.name for file in the_run(client).artifacts()}
    assert [each for each in shut.problems if "notes.txt" in each and "--outside" in each]
    assert "notes.txt" in taken


def test_a_folder_without_runs_is_refused(client: Client, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no run files"):
        take_in(client, tmp_path, project=None)


def test_something_else_with_the_name_of_a_run_file_is_named(client: Client, folder: Path) -> None:
    the_file(folder).write_bytes(b"something else")

    done = bring(client, folder)

    assert (done.new, len(done.problems)) == (0, 1)
    assert "is no run file of W&B" in done.problems[0]


def test_the_command_tells_what_it_did(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RUNYARD_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    code = run(["import", "wandb", str(folder), "--project", "weld"])

    out, err = capsys.readouterr()
    assert code == 1  # the linked file was left out
    assert "1 run with" in out
    assert "imported into weld" in out
    assert "--outside" in err
    assert run(["import", "wandb", "nowhere"]) == 2


def as_file(records: list[bytes]) -> bytes:
    """A run file of some records, written as the format says."""
    out = bytearray(HEADER)
    for record in records:
        begin, is_first = 0, True
        while True:
            left = BLOCK_BYTES - len(out) % BLOCK_BYTES
            if left < 7:
                out += bytes(left)
                continue
            piece = record[begin : begin + left - 7]
            begin += len(piece)
            is_last = begin == len(record)
            kind = {(True, True): 1, (True, False): 2, (False, False): 3, (False, True): 4}[is_first, is_last]
            out += struct.pack("<IHB", zlib.crc32(bytes([kind]) + piece), len(piece), kind) + piece
            is_first = False
            if is_last:
                break
    return bytes(out)
