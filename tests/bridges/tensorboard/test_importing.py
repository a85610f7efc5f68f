"""Event files in and out, beside the packages that write and read them: TensorBoard, tensorboardX and PyTorch."""

import io
import json
import os
import random
import subprocess
import sys
import tempfile
import wave
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runyard.bridges import protobuf
from runyard.bridges.intake import Foreign, begin
from runyard.bridges.tensorboard import columns
from runyard.bridges.tensorboard.exporting import export_runs
from runyard.bridges.tensorboard.framing import Block, RecordFile, framed
from runyard.bridges.tensorboard.importing import Follower, Report, import_folder
from runyard.bridges.tensorboard.messages import Number, Reader, histogram
from runyard.client import Client, open_client
from runyard.client.runs import read_media
from runyard.errors import NotFound
from runyard.tracking.media.audio import encode_audio
from runyard.tracking.media.image import encode_png
from tests.integrations.scripts import needs


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with closing(open_client(tmp_path / "home")) as client:
        yield client


def elsewhere(program: str, folder: Path, *packages: str) -> Any:
    """What a program prints as JSON, in a process that has the packages."""
    needs(*packages)
    done = subprocess.run(
        [sys.executable, "-c", dedent(program)],
        cwd=folder,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout or "null")


def scalar(tag: str, step: int, value: float, time_s: float = 1.7e9) -> bytes:
    inner = protobuf.put_bytes(1, tag) + protobuf.put_float(2, value)
    return (
        protobuf.put_double(1, time_s) + protobuf.put_int(2, step) + protobuf.put_bytes(5, protobuf.put_bytes(1, inner))
    )


def write(path: Path, records: list[bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(framed(record) for record in records))
    return path


def block_of(records: list[bytes]) -> Block:
    sizes = np.array([len(record) for record in records], np.int64)
    ends = np.cumsum(sizes + 16)
    return Block(b"".join(framed(record) for record in records), ends - sizes - 4, sizes)


# ---- the format ----


@pytest.mark.parametrize("damaged", [0, 7, 29, 33, 34, 35])  # length of a field, time, step, tag, value, value
def test_a_scalar_with_another_checksum_is_not_read_with_those_that_are_alike(damaged: int) -> None:
    block = block_of([scalar("train/loss", 300 + step, 0.5) for step in range(20)])
    data = bytearray(block.data)
    data[block.starts[7] + damaged] ^= 0x10

    (points,) = columns.scalars(block._replace(data=bytes(data)))

    assert points.steps.tolist() == [300 + step for step in range(20) if step != 7]
    assert not block._replace(data=bytes(data)).is_whole(7)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["loss", "val/accuracy", "ünï", "a"]),
            st.integers(min_value=-(2**63), max_value=2**63 - 1) | st.integers(0, 300),
            st.floats(width=32, allow_nan=False),
        ),
        max_size=60,
    )
)
def test_many_scalars_at_once_are_what_one_by_one_gives(points: list[tuple[str, int, float]]) -> None:
    records = [scalar(tag, step, value, 1.7e9 + number) for number, (tag, step, value) in enumerate(points)]
    slow: dict[str, list[tuple[int, float]]] = {}
    for record in records:
        event = Reader().event(record)
        for said in event.said:
            assert isinstance(said.content, Number)
            slow.setdefault(said.tag, []).append((event.step, said.content.value))

    found = list(columns.scalars(block_of(records)))
    seen = {int(record) for points_of in found for record in points_of.records}
    for number, (tag, step, value) in enumerate(points):
        if number not in seen:
            found.append(columns.one(tag, step, value, 1.7e9 + number, number))
    fast = {
        points_of.tag: list(zip(points_of.steps.tolist(), points_of.values.tolist(), strict=True))
        for points_of in columns.by_tag(found)
    }

    assert fast == slow


@given(st.binary(max_size=200))
def test_bytes_that_are_no_message_are_refused_and_nothing_else(data: bytes) -> None:
    try:
        Reader().event(data)
    except protobuf.NotAMessage:
        pass


def test_a_histogram_loses_its_empty_and_endless_buckets() -> None:
    found = histogram([0.0, 1e-12, 1.0, 2.0, float("inf")], [0, 3, 4, 0])

    assert found is not None
    assert (found.edges, found.counts) == ([1e-12, 1.0, 2.0], [3, 4])
    assert histogram([0.0, 1.0], [0]) is None


def test_a_histogram_of_equal_values_has_one_bucket_around_them() -> None:
    found = histogram([2.0] * 4, [0, 0, 7])

    assert found is not None
    assert (found.edges, found.counts) == ([1.5, 2.5], [7])


# ---- in ----


WRITE = """
import numpy as np, torch
from {module} import SummaryWriter
with SummaryWriter("logs/first") as writer:
    for step in range(300):
        writer.add_scalar("train/loss", 1 / (step + 1), step)
    writer.add_scalar("new", 0.25, 7{new})
    writer.add_image("picture", np.zeros((3, 4, 5), np.float32), 1)
    writer.add_histogram("weights", np.arange(100.0), 2)
    writer.add_text("sample", "Once upon a time", 3)
    {more}
with SummaryWriter("logs/second") as writer:
    writer.add_hparams({{"lr": 0.1, "kind": "adam", "deep": True, "layers": 3}}, {{"best": 0.9}})
"""


@pytest.mark.slow
@pytest.mark.parametrize(("module", "new"), [("torch.utils.tensorboard", ", new_style=True"), ("tensorboardX", "")])
def test_what_others_write_becomes_runs(client: Client, tmp_path: Path, module: str, new: str) -> None:
    is_torch = module.startswith("torch")
    more = "writer.add_pr_curve('seen', np.array([0, 1, 1]), np.array([0.1, 0.8, 0.4]), 5, num_thresholds=3)"
    more += "; writer.add_audio('hum', torch.zeros(1, 800), 4, 8000)" if is_torch else ""  # the other needs a package
    elsewhere(WRITE.format(module=module, new=new, more=more), tmp_path, "torch", "tensorboard", "tensorboardX")

    report = import_folder(client, tmp_path / "logs", project="old")

    assert report.skipped == []
    by_name = {row.name: row for row in client.index.find('project == "old"')}
    first = by_name["first"]
    assert first.state == "COMPLETED"
    series = client.index.series(first.id, "train/loss")
    assert series.steps.tolist() == list(range(300))
    np.testing.assert_array_equal(series.values, np.float32(1 / np.arange(1, 301)))
    assert client.index.series(first.id, "new").values.tolist() == [0.25]
    media = {place.key: read_media(client, place) for place in client.index.media(first.id)}
    assert {key: (found.kind, found.step) for key, found in media.items()} == {
        "picture": ("image", 1),
        "weights": ("histogram", 2),
        "sample/text_summary": ("text", 3),
        "seen": ("curve", 5),
    } | ({"hum": ("audio", 4)} if is_torch else {})
    if is_torch:
        with wave.open(io.BytesIO(media["hum"].data)) as sound:
            assert (sound.getframerate(), sound.getnframes()) == (8000, 800)
    assert sum(json.loads(media["weights"].data)["counts"]) == 100
    curve = json.loads(media["seen"].data)  # at thresholds of 1, 1/2 and 0
    assert (curve["x"], curve["y"][1:]) == ([0, 0.5, 1], [1, pytest.approx(2 / 3)])
    assert media["sample/text_summary"].data == b"Once upon a time"
    (second,) = (row for name, row in by_name.items() if name.startswith("second"))
    assert second.config == {"lr": 0.1, "kind": "adam", "deep": True, "layers": 3}
    assert client.index.series(second.id, "best").values.tolist() == [pytest.approx(0.9)]


def test_sounds_come_from_both_forms_and_what_is_none_is_listed(client: Client, tmp_path: Path) -> None:
    sound = encode_audio(np.zeros(8), rate_hz=8)[0]

    def said(value: bytes) -> bytes:
        return protobuf.put_double(1, 1.7e9) + protobuf.put_bytes(5, protobuf.put_bytes(1, value))

    def old(tag: str, data: bytes) -> bytes:
        return said(protobuf.put_bytes(1, tag) + protobuf.put_bytes(6, protobuf.put_bytes(4, data)))

    shape = b"".join(protobuf.put_bytes(2, protobuf.put_int(1, size)) for size in (2, 2))  # two, a label beside each
    strings = b"".join(protobuf.put_bytes(8, text) for text in (sound, b"first", sound, b"second"))
    tensor = protobuf.put_int(1, 7) + protobuf.put_bytes(2, shape) + strings
    plugin = protobuf.put_bytes(1, protobuf.put_bytes(1, "audio"))
    new = protobuf.put_bytes(1, "new") + protobuf.put_bytes(9, plugin) + protobuf.put_bytes(8, tensor)
    path = write(tmp_path / "logs" / "events.out.tfevents.1", [old("old", sound), old("odd", b"noise"), said(new)])

    report = import_folder(client, tmp_path / "logs", project="old")

    media = {place.key: read_media(client, place) for place in client.index.media(report.runs[0])}
    assert {key: (found.kind, found.mime) for key, found in media.items()} == dict.fromkeys(
        ("old", "new", "new/1"), ("audio", "audio/wav")
    )
    assert media["new/1"].data == sound
    assert report.skipped == [f"{path}: the sound 'odd' at step 0 is of no format that a browser knows."]


def test_importing_twice_changes_nothing(client: Client, tmp_path: Path) -> None:
    write(tmp_path / "logs" / "events.out.tfevents.1", [scalar("loss", step, step) for step in range(20)])

    first = import_folder(client, tmp_path / "logs", project="old")
    second = import_folder(client, tmp_path / "logs", project="old")

    assert (len(first.runs), first.points) == (1, 20)
    assert (second.runs, second.points, second.untouched) == ([], 0, 1)
    assert client.index.count() == 1


def test_an_import_of_an_old_version_that_was_broken_off_is_gone_on_with(client: Client, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    for name, begin_at in (("1", 0), ("2", 20)):
        records = [scalar("loss", step, step) for step in range(begin_at, begin_at + 20)]
        write(logs / f"events.out.tfevents.{name}", records)
    at = datetime(2024, 5, 3, tzinfo=UTC)
    source = f"tensorboard:{logs.resolve()}"
    foreign = Foreign(source=source, project="old", name="logs", created_at=at, started_at=at)
    with begin(client, foreign) as run:  # it told no file, and came to the middle of the second
        run.points("loss", range(30), [float(step) for step in range(30)], [1_700_000_000_000_000_000] * 30)

    report = import_folder(client, logs, project="old")

    assert (report.points, report.new) == (10, 0)
    assert client.index.series(run.id, "loss").steps.tolist() == list(range(40))


def test_a_file_that_grows_is_followed_from_where_it_was_read(client: Client, tmp_path: Path) -> None:
    path = write(tmp_path / "logs" / "events.out.tfevents.1", [scalar("loss", step, step) for step in range(20)])
    follower, report = Follower(client, tmp_path / "logs", project="old"), Report()

    follower.look(report)
    whole = framed(scalar("loss", 20, 20.0))
    with path.open("ab") as file:
        file.write(whole[:17])
    read = follower.look(report)
    with path.open("ab") as file:
        file.write(whole[17:])
    read_more = follower.look(report)

    (row,) = client.index.find()
    assert (read, read_more) == (0, len(whole))
    assert row.state == "RUNNING"
    assert client.index.series(row.id, "loss").steps.tolist() == list(range(21))

    again = Report()  # after the follower was ended: another one goes on
    Follower(client, tmp_path / "logs", project="old").look(again, is_last=True)
    (row,) = client.index.find()
    assert (again.points, row.state, len(client.index.series(row.id, "loss"))) == (0, "COMPLETED", 21)


def losses(client: Client) -> dict[str, list[tuple[int, float]]]:
    """The points of `loss` of each run, by the run's name."""
    found = {}
    for row in client.index.find():
        series = client.index.series(row.id, "loss")
        found[row.name] = list(zip(series.steps.tolist(), series.values.tolist(), strict=True))
    return found


def test_files_that_grow_in_turn_are_gone_on_with_each_from_its_own_place(client: Client, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    first, second = logs / "events.out.tfevents.1", logs / "events.out.tfevents.2"
    write(first, [scalar("loss", step, 1.0) for step in range(20)])
    write(second, [scalar("loss", step, 2.0) for step in range(30)])
    Follower(client, logs, project="old").look(Report())
    for path, value in ((first, 1.0), (second, 2.0)):
        with path.open("ab") as file:
            file.write(b"".join(framed(scalar("loss", step, value)) for step in range(100, 109)))

    Follower(client, logs, project="old").look(report := Report(), is_last=True)

    (row,) = client.index.find()
    series = client.index.series(row.id, "loss")
    seen = sorted(zip(series.values.tolist(), series.steps.tolist(), strict=True))
    assert report.points == 18
    assert seen == [(1.0, s) for s in (*range(20), *range(100, 109))] + [
        (2.0, s) for s in (*range(30), *range(100, 109))
    ]


def test_what_is_written_after_the_end_is_brought_and_the_run_goes_on(client: Client, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    path = write(logs / "events.out.tfevents.1", [scalar("loss", step, step) for step in range(20)])
    import_folder(client, logs, project="old")
    with path.open("ab") as file:
        file.write(framed(scalar("loss", 20, 20.0, 1.7e9 + 50)))

    Follower(client, logs, project="old").look(report := Report())
    (running,) = client.index.find()
    again = import_folder(client, logs, project="old")

    (ended,) = client.index.find()
    assert (report.points, report.new, len(report.runs)) == (1, 0, 1)
    assert (running.state, ended.state, again.points) == ("RUNNING", "COMPLETED", 0)
    assert ended.ended_at is not None
    assert ended.ended_at.timestamp() == 1.7e9 + 50
    assert len(client.index.series(ended.id, "loss")) == 21


def test_a_file_that_goes_away_shrinks_or_has_a_hole_for_a_while_is_followed_all_the_same(
    client: Client, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    whole = b"".join(framed(scalar("loss", step, step)) for step in range(60))
    size = len(whole) // 60
    path = write(logs / "events.out.tfevents.1", [])
    follower, report = Follower(client, logs, project="old"), Report()
    holed = whole[: 20 * size] + bytes(10 * size) + whole[30 * size :]
    for content in (whole[: 20 * size], None, whole[: 5 * size], holed, whole[: 41 * size + 7]):
        if content is None:
            path.rename(tmp_path / "away")
        else:
            path.write_bytes(content)
        follower.look(report)
    path.write_bytes(whole)
    follower.look(report, is_last=True)

    (row,) = client.index.find()
    assert client.index.series(row.id, "loss").steps.tolist() == list(range(60))
    assert (report.points, report.skipped, row.state) == (60, [], "COMPLETED")


def test_folders_and_files_that_appear_while_it_follows_are_brought(client: Client, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    write(logs / "a" / "events.out.tfevents.1", [scalar("loss", step, step) for step in range(10)])
    follower, report = Follower(client, logs, project="old"), Report()
    follower.look(report)
    write(logs / "a" / "events.out.tfevents.2", [scalar("loss", step, step) for step in range(10, 20)])
    write(logs / "b" / "deep" / "events.out.tfevents.1", [scalar("loss", 7, 7.0)])

    follower.look(report)
    follower.look(report, is_last=True)

    assert losses(client) == {"a": [(s, float(s)) for s in range(20)], "b/deep": [(7, 7.0)]}
    assert (report.points, report.new, len(report.runs)) == (21, 2, 2)


def test_a_file_cut_anywhere_gives_the_beginning_of_its_points_and_later_all(client: Client, tmp_path: Path) -> None:
    draw = random.Random(7)
    whole = b"".join(framed(scalar("loss", step, step)) for step in range(50))
    places = [0, 1, len(whole) - 1, *(draw.randrange(len(whole)) for _ in range(25))]
    paths = [write(tmp_path / "logs" / f"{n:02}" / "events.out.tfevents.1", []) for n in range(len(places))]
    for path, place in zip(paths, places, strict=True):
        path.write_bytes(whole[:place])
    follower, all_of_it = (
        Follower(client, tmp_path / "logs", project="old"),
        [(step, float(step)) for step in range(50)],
    )

    follower.look(Report())
    begun = losses(client)
    for path in paths:
        path.write_bytes(whole)
    follower.look(Report())

    size = len(whole) // 50
    assert begun == {f"{n:02}": all_of_it[: place // size] for n, place in enumerate(places) if place >= size}
    assert losses(client) == {f"{n:02}": all_of_it for n in range(len(places))}


FOLLOW = """
import sys
from pathlib import Path
from runyard.bridges import intake
from runyard.bridges.tensorboard import framing
from runyard.bridges.tensorboard.importing import Follower, Report
from runyard.client import open_client
framing.BLOCK_BYTES, intake._PIECE_BYTES = 30_000, 10_000  # many deliveries a block, many blocks
follower = Follower(open_client(sys.argv[1]), Path(sys.argv[2]), project="old")
follower.look(Report(), progress=lambda *_: print("brought", flush=True))
"""


@pytest.mark.slow
def test_a_follower_that_is_killed_anywhere_leaves_no_gap_and_nothing_twice(client: Client, tmp_path: Path) -> None:
    logs, home = tmp_path / "logs", tmp_path / "home"
    for name in ("1", "2"):
        records = [scalar(tag, step, float(name)) for step in range(3000) for tag in ("loss", "accuracy")]
        write(logs / f"events.out.tfevents.{name}", records)
    draw = random.Random(3)
    for _ in range(3):
        command = [sys.executable, "-c", FOLLOW, str(home), str(logs)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(draw.randrange(1, 4)):
                process.stdout.readline()
            process.kill()

    Follower(client, logs, project="old").look(report := Report(), is_last=True)

    (row,) = client.index.find()
    assert 0 < report.points < 12_000
    for tag in ("loss", "accuracy"):
        series = client.index.series(row.id, tag)
        seen = sorted(zip(series.values.tolist(), series.steps.tolist(), strict=True))
        assert seen == [(value, step) for value in (1.0, 2.0) for step in range(3000)]


def test_plugins_that_were_named_once_are_known_after_a_new_start(client: Client, tmp_path: Path) -> None:
    def text(step: int, about: bytes) -> bytes:
        tensor = protobuf.put_bytes(8, protobuf.put_int(1, 7) + protobuf.put_bytes(8, f"said {step}"))
        value = protobuf.put_bytes(1, "sample") + about + tensor
        return (
            protobuf.put_double(1, 1.7e9)
            + protobuf.put_int(2, step)
            + protobuf.put_bytes(5, protobuf.put_bytes(1, value))
        )

    about = protobuf.put_bytes(9, protobuf.put_bytes(1, protobuf.put_bytes(1, "text")))
    path = write(tmp_path / "logs" / "events.out.tfevents.1", [text(1, about)])
    Follower(client, tmp_path / "logs", project="old").look(Report())
    with path.open("ab") as file:
        file.write(framed(text(2, b"")))

    Follower(client, tmp_path / "logs", project="old").look(Report(), is_last=True)

    (row,) = client.index.find()
    said = [read_media(client, place).data for place in client.index.media(row.id)]
    assert said == [b"said 1", b"said 2"]


def test_what_can_be_read_of_a_damaged_file_is_read_and_the_rest_is_listed(client: Client, tmp_path: Path) -> None:
    whole = b"".join(framed(scalar("loss", step, step)) for step in range(20))
    logs = tmp_path / "logs"
    for name, data in (
        ("cut", whole + framed(scalar("loss", 20, 20.0))[:-3]),
        ("broken", whole + b"\x01" * 40),
        ("odd", whole + framed(b"\xff\xff") + framed(scalar("loss", 20, 20.0))),
    ):
        write(logs / name / "events.out.tfevents.1", []).write_bytes(data)

    report = import_folder(client, logs, project="old")

    lengths = {row.name: len(client.index.series(row.id, "loss")) for row in client.index.find()}
    assert lengths == {"cut": 20, "broken": 20, "odd": 21}
    cut, broken, odd = sorted(report.skipped, key=lambda text: ("cut/" not in text, "broken/" not in text))
    assert "ends in the middle of a record" in cut
    assert f"damaged at byte {len(whole):,}" in broken
    assert "a record of 2 bytes was skipped" in odd


def test_tags_that_no_series_can_have_are_cleaned(client: Client, tmp_path: Path) -> None:
    records = [scalar("a\nb\x1b[31m", 0, 1.0), scalar("", 0, 2.0), scalar("x" * 600, 0, 3.0)]
    write(tmp_path / "logs" / "events.out.tfevents.1", records)

    report = import_folder(client, tmp_path / "logs", project="old")

    assert sorted(client.index.keys(report.runs[0])) == sorted(["a b [31m", "untitled", "x" * 500])


def test_a_folder_without_event_files_is_told(client: Client, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="holds no event files"):
        import_folder(client, tmp_path, project="old")


def read_back(path: Path) -> list[bytes]:
    return [bytes(block.record(index)) for block in RecordFile(path).blocks() for index in range(len(block.starts))]


def test_a_record_larger_than_a_block_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runyard.bridges.tensorboard.framing.BLOCK_BYTES", 64)
    records = [b"a" * 10, b"b" * 500, b"c" * 10]

    assert read_back(write(tmp_path / "events.out.tfevents.1", records)) == records


@given(seed=st.integers(0, 10_000), block_bytes=st.sampled_from([15_000, 100_000]))
def test_records_of_every_size_are_found_whatever_they_hold(seed: int, block_bytes: int) -> None:
    draw = random.Random(seed)
    records: list[bytes] = []
    largest = draw.choice([20, 100, 1_000, 5_000])
    while sum(map(len, records)) < 40_000:
        records.append(draw.randbytes(draw.randrange(largest)))
        if not draw.randrange(5):
            records.append(framed(records[-1][:30]) * draw.randrange(1, 50))  # records within a record
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for name, value in (("BLOCK_BYTES", block_bytes), ("_LANE_BYTES", 512), ("_LOOK_BYTES", 64)):
            patch.setattr(f"runyard.bridges.tensorboard.framing.{name}", value)
        found = read_back(write(Path(folder) / "events.out.tfevents.1", records))

    assert found == records


# ---- out ----


READ = """
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2
everything = {{name: 0 for name in ("scalars", "tensors", "images", "histograms", "audio")}}
found = EventAccumulator({folder!r}, size_guidance=everything)
found.Reload()
hparams = {{}}
for tag, content in found.summary_metadata.items():
    data = content.plugin_data
    if data.plugin_name == "hparams":
        parsed = plugin_data_pb2.HParamsPluginData.FromString(data.content)
        for name, value in parsed.session_start_info.hparams.items():
            hparams[name] = getattr(value, value.WhichOneof("kind"))
print(json.dumps({{
    "scalars": {{tag: [[e.step, e.value, e.wall_time] for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}},
    "images": {{tag: [e.width for e in found.Images(tag)] for tag in found.Tags()["images"]}},
    "histograms": {{tag: [e.histogram_value.num for e in found.Histograms(tag)] for tag in found.Tags()["histograms"]}},
    "sounds": {{tag: [[e.sample_rate, e.length_frames] for e in found.Audio(tag)] for tag in found.Tags()["audio"]}},
    "texts": [tag for tag in found.Tags()["tensors"] if not tag.startswith("_hparams_")],
    "hparams": hparams,
}}))
"""


@pytest.mark.slow
def test_tensorboard_reads_every_point_of_an_export(client: Client, tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=200).astype(np.float32)
    at = datetime(2024, 5, 3, tzinfo=UTC)
    foreign = Foreign(
        source="test:1",
        project="old",
        name="<first> ../run",
        created_at=at,
        started_at=at,
        config={"optim": {"lr": 0.5}, "kind": "adam", "deep": True},
    )
    with begin(client, foreign) as arriving:
        arriving.points("loss", list(range(200)), values.tolist(), [1_700_000_000_000_000_000] * 200)
        arriving.points("huge", [0], [1e300], [1_700_000_000_000_000_000])
        picture = encode_png(np.zeros((4, 6, 3), np.uint8))
        meta = {"width": 6, "height": 4, "channels": 3}
        arriving.media("picture", picture, step=1, kind="image", mime="image/png", at=at, meta=meta)
        counted = json.dumps({"edges": [0, 1, 2], "counts": [3, 4]}).encode()
        arriving.media("weights", counted, step=1, kind="histogram", mime="application/json", at=at)
        sound, about = encode_audio(np.zeros(800), rate_hz=8000)
        arriving.media("hum", sound, step=1, kind="audio", mime="audio/wav", at=at, meta=about)
        arriving.media("sample", b"Once", step=1, kind="text", mime="text/plain", at=at)

    (path,) = export_runs(client, [client.index.get(arriving.id)], tmp_path / "out")
    seen = elsewhere(READ.format(folder=str(path.parent)), tmp_path, "tensorboard")

    assert path.parent.parent == tmp_path / "out"  # its name led nowhere else
    assert [(step, value) for step, value, _ in seen["scalars"]["loss"]] == list(enumerate(values.tolist()))
    assert seen["scalars"]["huge"][0][1] == float("inf")
    assert (seen["images"], seen["histograms"], seen["texts"]) == ({"picture": [6]}, {"weights": [7.0]}, ["sample"])
    assert seen["sounds"] == {"hum": [[8000.0, 800]]}
    assert seen["hparams"] == {"optim.lr": 0.5, "kind": "adam", "deep": True}


def test_an_export_comes_back_as_it_was(client: Client, tmp_path: Path) -> None:
    steps = [0, 5, 5, 3, 1_000_000]
    records = [scalar("loss", step, float(number), 1.7e9 + number) for number, step in enumerate(steps)]
    write(tmp_path / "logs" / "events.out.tfevents.1", records)
    (run_id,) = import_folder(client, tmp_path / "logs", project="old").runs
    export_runs(client, [client.index.get(run_id)], tmp_path / "out")

    (copy_id,) = import_folder(client, tmp_path / "out", project="copy").runs

    before, after = client.index.series(run_id, "loss"), client.index.series(copy_id, "loss")
    for name in ("steps", "values", "times"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
