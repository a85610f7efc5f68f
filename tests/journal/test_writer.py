"""Writing: what a full disk, two processes at once and too large records do to a journal."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from runyard.journal import JournalWriter, append_event
from runyard.journal import format as fmt
from runyard.journal.events import Media, Noted, Renamed
from runyard.journal.reader import EventAt, read_journal
from runyard.journal.writer import frame

# A file size limit is a disk that is full for one process: a write is cut short, then refused.
FULL_DISK = """
import resource, signal, sys
from runyard.journal import JournalWriter
from runyard.journal.events import Noted
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
writer = JournalWriter(sys.argv[1], run="abc", attempt=1, stream="main")
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, resource.RLIM_INFINITY))
schema = writer.declare(("loss",))
for number in range(200):
    writer.append(schema.encode(number, number, (0.5,)))
    if number == 150:
        late = writer.declare(("late",))
        writer.append(late.encode(7, 7, (7.0,)))
assert writer.is_blocked and not writer.flush()
size = writer.waiting_bytes
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
writer.event(Noted(time_ns=1, text="room again"))
assert not writer.is_blocked and writer.dropped == 0
writer.close()
print(size)
"""

APPEND_MANY = """
import sys
from pathlib import Path
from runyard.journal import append_event
from runyard.journal.events import Noted
sys.stdin.readline()
for number in range(50):
    append_event(Path(sys.argv[1]), Noted(time_ns=number, text=sys.argv[2]), run="abc")
"""


def test_what_a_full_disk_refused_is_written_in_order_when_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "main.journal"

    ran = subprocess.run([sys.executable, "-c", FULL_DISK, path], capture_output=True, text=True, check=True)

    items, decoder = read_journal(path)
    rows = [item for item in items if not isinstance(item, EventAt)]
    assert int(ran.stdout) > 5_000
    assert decoder.problem == ""
    assert [step for item in rows if item.keys == ("loss",) for step in item.steps] == list(range(200))
    assert [step for item in rows if item.keys == ("late",) for step in item.steps] == [7]
    assert isinstance(items[-1], EventAt)


def test_records_beyond_what_memory_may_hold_are_counted_but_declared_keys_never_get_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runyard.journal.writer.MAX_WAITING_BYTES", 200)
    with open("/dev/full", "wb") as full:
        writer = JournalWriter(tmp_path / "main.journal", run="abc", attempt=1, stream="main")
        good, writer._fd = writer._fd, full.fileno()
        for number in range(10):
            writer.append(writer.declare((f"k{number}",)).encode(number, 0, (1.0,)))
        writer._fd = good
    writer.close()

    items, decoder = read_journal(tmp_path / "main.journal")

    assert writer.dropped > 0
    assert decoder.problem == ""
    assert len(items) == 10 - writer.dropped


def test_two_processes_that_create_one_journal_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "edits.journal"
    children = [
        subprocess.Popen([sys.executable, "-c", APPEND_MANY, path, name], stdin=subprocess.PIPE, text=True)
        for name in ("first", "second")
    ]

    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        child.communicate(timeout=60)

    items, decoder = read_journal(path)
    texts = [item.event.text for item in items if isinstance(item, EventAt) and isinstance(item.event, Noted)]
    assert decoder.problem == ""
    assert (texts.count("first"), texts.count("second")) == (50, 50)
    assert [file.name for file in tmp_path.iterdir()] == ["edits.journal"]


def test_an_edit_that_the_disk_refuses_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "edits.journal"
    append_event(path, Renamed(time_ns=1, name="before"), run="abc")
    before = path.read_bytes()
    program = (
        "import resource, signal, sys; from pathlib import Path; from runyard.journal import append_event;"
        "from runyard.journal.events import Noted; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) + 10}, resource.RLIM_INFINITY));"
        "append_event(Path(sys.argv[1]), Noted(time_ns=2, text='x' * 100), run='abc')"
    )

    ran = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=False)

    assert ran.returncode == 1
    assert "OSError" in ran.stderr
    assert path.read_bytes() == before


def test_a_record_that_belongs_into_a_file_is_refused() -> None:
    with pytest.raises(ValueError, match="Log it as a file"):
        frame(fmt.KIND_EVENT, b"x" * fmt.MAX_RECORD_BYTES)


def test_a_large_medium_is_one_record(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "main.journal", run="abc", attempt=1, stream="main")
    event = Media(time_ns=1, key="k", step=0, kind="image", mime="image/png", data=b"\x01" * (8 << 20))

    writer.event(event)
    writer.close()

    items, _ = read_journal(tmp_path / "main.journal")
    assert [item.event for item in items if isinstance(item, EventAt)] == [event]


def test_a_stream_has_at_most_65536_sets_of_keys(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "main.journal", run="abc", attempt=1, stream="main")
    for number in range(fmt.MAX_SCHEMAS):
        writer.declare((str(number),))

    with pytest.raises(ValueError, match="65,536"):
        writer.declare(("one more",))
    writer.close()


def test_the_limit_of_file_sizes_is_what_these_tests_rely_on() -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
