"""The trash: what is deleted is gone, what others need stays, and a broken-off deletion is finished."""

import os

import msgspec
import pytest

from runyard.artifacts import Entry, Manifest
from runyard.client import open_client, trash
from runyard.errors import ConflictError, NotFound, UsageError
from runyard.index import RunRow
from runyard.records import CodeState
from tests.cli.builders import Yard

SHARED = b"s" * 8192
OWN = b"o" * 8192


def code_of(yard: Yard, **files: bytes) -> CodeState:
    """Code in the store, laid out to import from as a worker does it."""
    store = yard.client.artifacts
    entries = {name: Entry(sha256=store.put_bytes(data), size_bytes=len(data)) for name, data in files.items()}
    snapshot = store.put_bytes(msgspec.json.encode(Manifest(files=entries)))
    laid_out = yard.client.home.code / snapshot
    laid_out.mkdir()
    for name, data in files.items():
        (laid_out / name).write_bytes(data)
    return CodeState(snapshot=snapshot, code_id=snapshot)


def throw_away(yard: Yard, *rows: RunRow) -> None:
    trash.put(yard.client, [row.id for row in rows])


def size_of_home(yard: Yard) -> int:
    folders = (yard.client.home.runs, yard.client.home.trash, yard.client.home.artifacts, yard.client.home.code)
    return sum(trash.folder_size(folder) for folder in folders)


def test_what_is_freed_is_what_the_disk_has_back(yard: Yard) -> None:
    gone = yard.run(files={"model": b"m" * 20_000}, code=code_of(yard, train=OWN))
    throw_away(yard, gone)
    before = size_of_home(yard)

    freed = trash.empty(yard.client)

    assert freed.runs == 1
    assert freed.size_bytes == before - size_of_home(yard) > 20_000
    assert os.listdir(yard.client.home.code) == []
    with pytest.raises(NotFound):
        yard.client.index.get(gone.id)


def test_content_that_another_run_has_too_stays(yard: Yard) -> None:
    kept_code = code_of(yard, shared=SHARED, mine=b"mine")
    kept = yard.run(files={"plot": SHARED}, code=kept_code)
    throw_away(yard, yard.run(files={"plot": SHARED, "own": OWN}, code=code_of(yard, shared=SHARED, other=OWN)))

    trash.empty(yard.client)

    store = yard.client.artifacts
    (plot,) = yard.client.index.artifacts(kept.id)
    assert store.path(plot.sha256).read_bytes() == SHARED
    assert os.listdir(yard.client.home.code) == [kept_code.snapshot]
    assert sorted(store.sizes().values()) == sorted([len(SHARED), 4, store.size(str(kept_code.snapshot))])


def test_a_deletion_that_was_killed_is_finished_by_the_next(yard: Yard) -> None:
    gone, half = yard.run(), yard.run()
    throw_away(yard, gone, half)
    yard.client.index.remove([gone.id])  # as far as it came: rows first, then folders

    freed = trash.empty(yard.client)

    assert freed.size_bytes > 0
    assert os.listdir(yard.client.home.trash) == []


def test_two_who_empty_it_at_once_count_everything_once(yard: Yard) -> None:
    throw_away(yard, *(yard.run(files={"own": bytes([n]) * 9000}) for n in range(3)))
    before = size_of_home(yard)
    second = open_client(yard.path)
    freed: list[trash.Freed] = []
    trash.empty(yard.client, lambda done, of: freed.append(trash.empty(second)))  # when the first is almost done
    second.close()

    assert freed == [trash.Freed(runs=0, size_bytes=0)]
    assert before > size_of_home(yard)


def test_a_run_that_is_just_being_restored_is_not_deleted(yard: Yard) -> None:
    row = yard.run()
    throw_away(yard, row)

    with trash._locked(yard.client.home.trash / row.id):  # somebody else is at it
        assert trash.empty(yard.client).runs == 0

    trash.restore(yard.client, [row.id])
    assert yard.client.home.run(row.id).path.is_dir()
    assert not yard.client.index.get(row.id).trashed
    with pytest.raises(UsageError, match="not in the trash"):
        trash.restore(yard.client, [row.id])


def test_code_that_was_deleted_while_it_was_submitted_is_refused(yard: Yard) -> None:
    code = code_of(yard, train=OWN)
    throw_away(yard, yard.run(code=code))
    trash.empty(yard.client)

    with pytest.raises(ConflictError, match="Submit it again"):
        yard.run(code=code)

    assert os.listdir(yard.client.home.runs) == []
