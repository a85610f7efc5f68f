"""docs/journal-format.md is enough to read a journal: the reader below knows the document and nothing of our code."""

import struct
import zlib
from pathlib import Path
from typing import Any

import msgspec.msgpack  # any reader of MessagePack would do

from runyard.journal import JournalWriter
from runyard.journal.events import KNOWN_EVENTS, Noted, Progress

DOCUMENT = Path(__file__).parents[2] / "docs" / "journal-format.md"


def read(data: bytes) -> tuple[dict[str, Any], list[Any]]:
    """Header and records of a journal, written from the document alone."""
    assert data[:8] == b"RUNYARD\x01"
    position, header, keys = 8, {}, {}
    records: list[Any] = []
    while len(data) - position >= 12:
        kind, _flags, number, size = struct.unpack_from("<BBHI", data, position)
        if not 12 <= size <= 64 << 20 or kind not in (1, 2, 3, 4) or position + size > len(data):
            break
        record = data[position : position + size]
        (crc,) = struct.unpack("<I", record[-4:])
        if zlib.crc32(record[:-4], 0x2144DF1C) != crc:
            break
        body = record[8:-4]
        if kind == 1:
            header = msgspec.msgpack.decode(body)
        elif kind == 2:
            keys[number] = msgspec.msgpack.decode(body)
        elif kind == 3:
            step, time, *values = struct.unpack(f"<qq{len(keys[number])}d", body)
            records.append((step, time, dict(zip(keys[number], values, strict=True))))
        else:
            records.append(msgspec.msgpack.decode(body))
        position += size
    return header, records


def test_a_reader_written_from_the_document_reads_a_journal(tmp_path: Path) -> None:
    path = tmp_path / "main.journal"
    writer = JournalWriter(path, run="abc", attempt=2, stream="main")
    schema = writer.declare(("loss", "acc"))
    writer.append(schema.encode(-3, 17, (0.25, 0.5)))
    writer.event(Noted(time_ns=18, text="Grüße"))
    writer.append(schema.encode(4, 19, (0.125, 1.0)))
    writer.event(Progress(time_ns=20, done=1.0, total=2.0))
    writer.close()

    header, records = read(path.read_bytes() + b"\x03\x00\x00")  # and a torn tail

    assert (header["run"], header["attempt"], header["stream"]) == ("abc", 2, "main")
    assert records == [
        (-3, 17, {"loss": 0.25, "acc": 0.5}),
        {"e": "noted", "time_ns": 18, "text": "Grüße"},
        (4, 19, {"loss": 0.125, "acc": 1.0}),
        {"e": "progress", "time_ns": 20, "done": 1.0, "total": 2.0},
    ]


def test_the_checksum_of_any_number_of_records_is_the_residue(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "main.journal", run="abc", attempt=2, stream="main")
    for number in range(5):
        writer.event(Noted(time_ns=number, text="x" * number))
    writer.close()

    assert zlib.crc32((tmp_path / "main.journal").read_bytes()[8:], 0x2144DF1C) == 0x2144DF1C


def test_the_document_names_every_event() -> None:
    text = DOCUMENT.read_text()

    assert [name for name in sorted(KNOWN_EVENTS) if f"`{name}`" not in text] == []
