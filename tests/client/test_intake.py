"""Journals of other machines: kept exactly once, or refused with a sentence and without a trace."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runyard.client import Client, intake, open_client
from runyard.journal import MAIN
from runyard.journal.pieces import Piece, Receipt
from runyard.records import RunSpec, RunState
from tests.client.travelling import a_piece, a_spec, host, rows


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with closing(open_client(tmp_path / "home")) as client:
        yield client


@pytest.fixture
def spec(client: Client) -> RunSpec:
    spec = a_spec()
    client.announce([spec])
    return spec


def take(client: Client, piece: Piece) -> Receipt:
    (receipt,) = intake.take(client, [piece])
    return receipt


def kept(client: Client, run_id: str) -> bytes:
    return client.folder(run_id).attempt(1).journal(MAIN).read_bytes()


def test_a_piece_is_kept_once_however_often_it_comes(client: Client, spec: RunSpec, tmp_path: Path) -> None:
    data = rows(tmp_path, spec.id, range(10))

    first, again = take(client, a_piece(spec.id, data)), take(client, a_piece(spec.id, data))

    assert first.offset == again.offset == len(data)
    assert kept(client, spec.id) == data
    assert client.index.get(spec.id).summary["loss"].count == 10


def test_pieces_that_overlap_are_put_together(client: Client, spec: RunSpec, tmp_path: Path) -> None:
    begun = rows(tmp_path, spec.id, range(5))
    whole = rows(tmp_path, spec.id, range(5, 9))

    take(client, a_piece(spec.id, begun))
    receipt = take(client, a_piece(spec.id, whole, offset=len(begun) - 30))

    assert receipt.offset == len(whole)
    assert kept(client, spec.id) == whole


def test_a_piece_behind_a_gap_is_told_where_to_go_on(client: Client, spec: RunSpec, tmp_path: Path) -> None:
    data = rows(tmp_path, spec.id, range(10))

    receipt = take(client, a_piece(spec.id, data, offset=100))

    assert (receipt.offset, receipt.problem) == (0, "")
    assert kept(client, spec.id) == b""


@given(cuts=st.lists(st.integers(0, 500), max_size=6))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_wherever_a_journal_is_cut_it_arrives_whole(cuts: list[int], tmp_path: Path, client: Client) -> None:
    spec = a_spec()
    client.announce([spec])
    data = rows(tmp_path, spec.id, range(12))
    offset = 0
    for end in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
        offset = take(client, Piece(spec.id, 1, MAIN, offset, data[offset:end])).offset

    assert offset == len(data)
    assert kept(client, spec.id) == data
    assert client.index.get(spec.id).summary["loss"].count == 12


def test_bytes_that_do_not_match_their_checksum_are_refused(client: Client, spec: RunSpec, tmp_path: Path) -> None:
    good = rows(tmp_path, spec.id, range(5))
    whole = rows(tmp_path, spec.id, range(5, 9))
    take(client, a_piece(spec.id, good))
    damaged = bytearray(whole)
    damaged[-10] ^= 1

    receipt = take(client, a_piece(spec.id, bytes(damaged), offset=len(good)))

    assert len(good) < receipt.offset < len(whole)
    assert receipt.kind == "JournalDamaged"
    assert "checksum" in receipt.problem
    assert kept(client, spec.id) == whole[: receipt.offset]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"this is no journal at all, whatever it says", "JournalDamaged"),
        (b"RUNYARD\x09" + bytes(40), "FormatUnknown"),
    ],
)
def test_what_is_no_journal_of_ours_is_refused(client: Client, spec: RunSpec, data: bytes, kind: str) -> None:
    from runyard.journal import format as fmt

    data = fmt.MAGIC[:7] + data[7:] if kind == "FormatUnknown" else data
    receipt = take(client, Piece(spec.id, 1, MAIN, 0, data))

    assert receipt.kind == kind
    assert receipt.problem
    assert kept(client, spec.id) == b""


def test_the_journal_of_another_run_is_refused(client: Client, spec: RunSpec, tmp_path: Path) -> None:
    other = rows(tmp_path, "another", range(3))

    receipt = take(client, Piece(spec.id, 1, MAIN, 0, other))

    assert receipt.kind == "JournalDamaged"
    assert kept(client, spec.id) == b""


@pytest.mark.parametrize(
    ("attempt", "stream", "offset"),
    [
        (0, "main", 0),
        (10**18, "main", 0),
        (1, "main", -1),
        (1, "edits", 0),
        (1, "../../x", 0),
        (1, "main/../x", 0),
        (1, "", 0),
        (1, "x" * 400, 0),
        (1, "MAIN", 0),
        (1, "ma\0in", 0),
    ],
)
def test_a_place_that_no_machine_may_write_to_is_refused(
    client: Client, spec: RunSpec, attempt: int, stream: str, offset: int
) -> None:
    before = sorted(client.home.path.rglob("*"))

    receipt = take(client, Piece(spec.id, attempt, stream, offset, b"x"))

    assert receipt.kind == "UsageError"
    assert sorted(client.home.path.rglob("*")) == before


@pytest.mark.parametrize("run_id", ["nobody0000", "../../../etc", "a/b", "", "\0"])
def test_a_run_that_is_none_is_refused(client: Client, run_id: str) -> None:
    assert take(client, Piece(run_id, 1, MAIN, 0, b"x")).kind == "NotFound"


def test_one_that_is_refused_keeps_no_other_out(client: Client, spec: RunSpec, tmp_path: Path) -> None:
    data = rows(tmp_path, spec.id, range(10))

    bad, good = intake.take(client, [Piece("nobody0000", 1, MAIN, 0, data), a_piece(spec.id, data)])

    assert bad.problem
    assert good == Receipt(len(data))


def test_what_was_written_but_never_acknowledged_is_written_anew(client: Client, spec: RunSpec, tmp_path: Path) -> None:
    data = rows(tmp_path, spec.id, range(10))
    attempt = client.folder(spec.id).attempt(1)
    attempt.mark_delivered()
    attempt.journal(MAIN).write_bytes(data[:100] + b"torn by a power cut")

    receipt = take(client, a_piece(spec.id, data))

    assert receipt.offset == len(data)
    assert kept(client, spec.id) == data


def test_an_attempt_of_the_servers_own_machine_is_not_overwritten(
    client: Client, spec: RunSpec, tmp_path: Path
) -> None:
    client.folder(spec.id).attempt(1).path.mkdir(parents=True)

    assert take(client, a_piece(spec.id, rows(tmp_path, spec.id, range(3)))).kind == "ConflictError"


def test_the_end_that_a_machine_tells_is_the_runs_end(client: Client, spec: RunSpec, tmp_path: Path) -> None:
    data = host(tmp_path, spec.id, state=RunState.COMPLETED)

    take(client, a_piece(spec.id, data, stream="host"))

    assert client.index.get(spec.id).state == RunState.COMPLETED


def test_a_rebuilt_index_agrees_with_what_was_acknowledged(client: Client, spec: RunSpec, tmp_path: Path) -> None:
    data = rows(tmp_path, spec.id, range(10))
    take(client, a_piece(spec.id, data))
    before = client.index.get(spec.id)

    client.reindex()

    assert client.index.get(spec.id) == before
    assert take(client, a_piece(spec.id, data)).offset == len(data)
