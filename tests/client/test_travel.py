import gzip
import io
import json
import os
import tarfile
import zlib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from runyard.client import Client, open_client, trash
from runyard.client.travel import export_run, import_run
from runyard.errors import ConflictError, FormatUnknown, JournalDamaged, NotFound, RunyardError, UsageError
from runyard.index import RunRow
from runyard.project.snapshot import materialise, take
from runyard.records import CodeState, RunState
from tests.cli.builders import Yard

Members = dict[str, bytes]


@pytest.fixture
def other(tmp_path: Path) -> Any:
    """Another home, far away."""
    with closing(open_client(tmp_path / "other")) as client:
        client.refresh()
        yield client


def a_full_run(yard: Yard, tmp_path: Path) -> RunRow:
    """A run with code, files, a checkpoint and edits."""
    project = tmp_path / "project"
    (project / "src").mkdir(parents=True)
    (project / "src" / "train.py").write_text("print('hi')\n")
    snapshot = take(project, yard.client.artifacts)
    row = yard.run(
        name="full",
        metrics={"loss": [3.0, 1.0]},
        output="hello\n",
        files={"model": b"weights" * 1000},
        code=CodeState(snapshot=snapshot.id, code_id=snapshot.code_id),
    )
    checkpoints = yard.client.folder(row.id).checkpoints
    checkpoints.mkdir()
    (checkpoints / "epoch-1.pt").write_bytes(b"state")
    yard.client.tag(row.id, add=["kept"])
    return yard.client.index.get(row.id)


def contents(path: Path) -> Members:
    with tarfile.open(path) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def pack(path: Path, members: Members, *, kinds: dict[str, bytes] | None = None) -> Path:
    """An archive as an attacker could write it."""
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            if kinds and name in kinds:
                member.type, member.size, member.linkname = kinds[name], 0, "/etc/passwd"
            archive.addfile(member, io.BytesIO(data))
    return path


def decompressed(data: bytes) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return b""


def listed(members: Members, **changes: Any) -> Members:
    """The members with a listing that fits them."""
    listing = json.loads(members["export.json"])
    listing["members"] = {name: len(data) for name, data in members.items() if name != "export.json"}
    return {"export.json": json.dumps(listing | changes).encode()} | {
        name: data for name, data in members.items() if name != "export.json"
    }


def everything(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith("runyard.db")
    }


def test_a_run_arrives_as_it_left(yard: Yard, other: Client, tmp_path: Path) -> None:
    row = a_full_run(yard, tmp_path)

    exported = export_run(yard.client, row.id, tmp_path / "run.tar.gz")
    imported = import_run(other, tmp_path / "run.tar.gz")

    assert (imported.run_id, imported.is_new, exported.left_out) == (row.id, True, [])
    assert other.index.get(row.id) == row
    assert everything(other.folder(row.id).path) == everything(yard.client.folder(row.id).path)
    assert other.artifacts.sizes() == yard.client.artifacts.sizes()
    assert row.code.snapshot
    assert (materialise(row.code.snapshot, other.artifacts, other.home) / "src" / "train.py").is_file()
    assert not list(other.home.path.glob("import-*"))


def test_the_same_run_gives_the_same_bytes(yard: Yard, tmp_path: Path) -> None:
    row = a_full_run(yard, tmp_path)

    for name in ("a", "b"):
        export_run(yard.client, row.id, tmp_path / name)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_importing_twice_changes_nothing_and_says_so(yard: Yard, other: Client, tmp_path: Path) -> None:
    row = a_full_run(yard, tmp_path)
    export_run(yard.client, row.id, tmp_path / "run")
    import_run(other, tmp_path / "run")
    before = everything(other.home.path)

    assert not import_run(other, tmp_path / "run").is_new
    assert everything(other.home.path) == before


def test_a_run_with_the_same_id_but_other_content_is_not_replaced(yard: Yard, other: Client, tmp_path: Path) -> None:
    row = a_full_run(yard, tmp_path)
    export_run(yard.client, row.id, tmp_path / "run")
    import_run(other, tmp_path / "run")
    other.tag(row.id, add=["mine"])
    before = everything(other.home.path)

    with pytest.raises(ConflictError, match="other content"):
        import_run(other, tmp_path / "run")

    assert everything(other.home.path) == before


def test_a_run_that_has_not_ended_does_not_travel(yard: Yard, tmp_path: Path) -> None:
    for state in (None, RunState.QUEUED):
        with pytest.raises(ConflictError, match="once it has ended"):
            export_run(yard.client, yard.run(state=state).id, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_existing_file_is_not_overwritten(yard: Yard, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("precious")

    with pytest.raises(UsageError, match="exists already"):
        export_run(yard.client, yard.run().id, tmp_path / "run")

    assert (tmp_path / "run").read_text() == "precious"


def test_links_stay_at_home(yard: Yard, tmp_path: Path) -> None:
    row = a_full_run(yard, tmp_path)
    (yard.client.folder(row.id).checkpoints / "latest").symlink_to("epoch-1.pt")
    (yard.client.folder(row.id).checkpoints / "outside").symlink_to(tmp_path)

    exported = export_run(yard.client, row.id, tmp_path / "run")

    assert exported.left_out == ["checkpoints/latest", "checkpoints/outside"]


def test_an_archive_cut_anywhere_changes_nothing(yard: Yard, other: Client, tmp_path: Path) -> None:
    export_run(yard.client, a_full_run(yard, tmp_path).id, tmp_path / "run")
    data = (tmp_path / "run").read_bytes()
    before = everything(other.home.path)

    for size in (0, 1, 10, len(data) // 3, len(data) // 2, len(data) - 9, len(data) - 1):
        (tmp_path / "cut").write_bytes(data[:size])
        with pytest.raises(UsageError, match="Nothing was imported"):
            import_run(other, tmp_path / "cut")

    assert everything(other.home.path) == before


def test_a_flipped_bit_anywhere_is_found(yard: Yard, other: Client, tmp_path: Path) -> None:
    export_run(yard.client, a_full_run(yard, tmp_path).id, tmp_path / "run")
    data = (tmp_path / "run").read_bytes()
    before = everything(other.home.path)

    for position in range(20, len(data), max(len(data) // 25, 1)):
        flipped = data[:position] + bytes([data[position] ^ 4]) + data[position + 1 :]
        (tmp_path / "flipped").write_bytes(flipped)
        if decompressed(flipped) == decompressed(data):
            continue  # a bit of padding between two blocks, which means nothing
        with pytest.raises(RunyardError):
            import_run(other, tmp_path / "flipped")

    assert everything(other.home.path) == before


@pytest.mark.parametrize(
    "name",
    [
        "../escaped",
        "/tmp/escaped",
        "run/../../escaped",
        "run//x",
        "run/./x",
        "run/a\\b",
        "run/a\nb",
        "run/" + "x" * 300,
        "artifacts/" + "z" * 64,
        "artifacts/../x",
        "home.json",
        "run",
        "",
    ],
)
def test_a_member_with_a_dangerous_name_is_refused(yard: Yard, other: Client, tmp_path: Path, name: str) -> None:
    export_run(yard.client, a_full_run(yard, tmp_path).id, tmp_path / "run")
    members = contents(tmp_path / "run") | {name: b"evil"}
    before = everything(tmp_path)

    with pytest.raises(UsageError, match="Nothing was imported"):
        import_run(other, pack(tmp_path / "evil", listed(members)))

    assert {k: v for k, v in everything(tmp_path).items() if k != "evil"} == before


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_anything_but_plain_files_is_refused(yard: Yard, other: Client, tmp_path: Path, kind: bytes) -> None:
    export_run(yard.client, a_full_run(yard, tmp_path).id, tmp_path / "run")
    members = listed(contents(tmp_path / "run") | {"run/checkpoints/x": b""})

    with pytest.raises(UsageError, match="other than plain files"):
        import_run(other, pack(tmp_path / "evil", members, kinds={"run/checkpoints/x": kind}))

    assert os.listdir(other.home.runs) == []


def test_an_artifact_whose_content_is_not_its_name_is_refused(yard: Yard, other: Client, tmp_path: Path) -> None:
    export_run(yard.client, a_full_run(yard, tmp_path).id, tmp_path / "run")
    members = contents(tmp_path / "run")
    victim = next(name for name in members if name.startswith("artifacts/"))

    with pytest.raises(UsageError, match="not what its name says"):
        import_run(other, pack(tmp_path / "evil", listed(members | {victim: b"other"})))

    assert other.artifacts.sizes() == {}


def test_members_that_are_missing_or_that_nobody_refers_to_are_refused(
    yard: Yard, other: Client, tmp_path: Path
) -> None:
    export_run(yard.client, a_full_run(yard, tmp_path).id, tmp_path / "run")
    members = contents(tmp_path / "run")
    lacking = {name: data for name, data in members.items() if data != b"weights" * 1000}
    extra = members | {"artifacts/" + "2" * 64: b""}
    sha256_of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    known_extra = members | {f"artifacts/{sha256_of_nothing}": b""}

    for broken in (lacking, extra, known_extra):
        with pytest.raises(UsageError, match="Nothing was imported"):
            import_run(other, pack(tmp_path / "evil", listed(broken)))

    assert other.artifacts.sizes() == {}
    assert os.listdir(other.home.runs) == []


def test_a_run_that_would_wait_for_a_worker_is_refused(yard: Yard, other: Client, tmp_path: Path) -> None:
    row = a_full_run(yard, tmp_path)
    export_run(yard.client, row.id, tmp_path / "run")
    members = contents(tmp_path / "run")
    waiting = {name: data for name, data in members.items() if "attempts" not in name and data != b"weights" * 1000}
    spec = json.loads(members["run/run.json"]) | {"is_queued": True}

    with pytest.raises(UsageError, match="is QUEUED; only a run that has ended"):
        import_run(other, pack(tmp_path / "evil", listed(waiting | {"run/run.json": json.dumps(spec).encode()})))

    assert other.queue.rows() == []
    assert os.listdir(other.home.runs) == []


def test_journals_and_run_json_of_another_run_are_refused(yard: Yard, other: Client, tmp_path: Path) -> None:
    row = a_full_run(yard, tmp_path)
    export_run(yard.client, row.id, tmp_path / "run")
    members = contents(tmp_path / "run")
    foreign_spec = members["run/run.json"].replace(row.id.encode(), b"zzzzzzzzzz")
    foreign_journal = members["run/attempts/1/main.journal"]

    with pytest.raises(UsageError, match="another run"):
        import_run(other, pack(tmp_path / "evil", listed(members | {"run/run.json": foreign_spec})))
    with pytest.raises((UsageError, JournalDamaged)):
        import_run(other, pack(tmp_path / "evil", listed(members | {"run/edits.journal": foreign_journal})))
    with pytest.raises((UsageError, JournalDamaged)):
        import_run(other, pack(tmp_path / "evil", listed(members | {"run/attempts/1/main.journal": b"garbage"})))

    assert os.listdir(other.home.runs) == []


@pytest.mark.parametrize("run_id", ["../../x", "", "a/b", "x" * 40, "ü"])
def test_a_listing_with_an_id_that_is_none_is_refused(yard: Yard, other: Client, tmp_path: Path, run_id: str) -> None:
    export_run(yard.client, a_full_run(yard, tmp_path).id, tmp_path / "run")

    with pytest.raises(UsageError, match="Nothing was imported"):
        import_run(other, pack(tmp_path / "evil", listed(contents(tmp_path / "run"), id=run_id)))


def test_another_format_is_refused_by_naming_both(yard: Yard, other: Client, tmp_path: Path) -> None:
    export_run(yard.client, a_full_run(yard, tmp_path).id, tmp_path / "run")

    with pytest.raises(FormatUnknown, match="export format 9; this Runyard knows format 1"):
        import_run(other, pack(tmp_path / "evil", listed(contents(tmp_path / "run"), format=9)))


def test_a_file_that_is_a_folder_of_another_is_refused(yard: Yard, other: Client, tmp_path: Path) -> None:
    export_run(yard.client, a_full_run(yard, tmp_path).id, tmp_path / "run")
    members = contents(tmp_path / "run") | {"run/x": b"file", "run/x/y": b"below it"}

    with pytest.raises(UsageError, match="clashes"):
        import_run(other, pack(tmp_path / "evil", listed(members)))

    assert not list(other.home.path.glob("import-*"))


def test_a_bomb_needs_no_memory(other: Client, tmp_path: Path) -> None:
    head = tarfile.TarInfo("x")
    head.type, head.size = tarfile.XHDTYPE, 1 << 40
    with gzip.open(tmp_path / "bomb", "wb") as file:
        file.write(head.tobuf(tarfile.GNU_FORMAT))
        for _ in range(50):
            file.write(bytes(1 << 20))

    with pytest.raises(UsageError, match="Nothing was imported"):
        import_run(other, tmp_path / "bomb")


def test_more_than_the_disk_can_hold_is_refused_before_anything_is_written(other: Client, tmp_path: Path) -> None:
    listing = {"format": 1, "id": "abcdefghjk", "members": {"run/run.json": 2, "run/huge": 1 << 60}}
    head = tarfile.TarInfo("run/huge")
    head.size = 1 << 60
    with gzip.open(tmp_path / "huge", "wb") as file:
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as archive:
            for name, content in (("export.json", json.dumps(listing).encode()), ("run/run.json", b"{}")):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        file.write(data.getvalue().rstrip(b"\0") + bytes(2048) + head.tobuf(tarfile.GNU_FORMAT))

    with pytest.raises(UsageError, match="Nothing was imported"):
        import_run(other, tmp_path / "huge")

    assert os.listdir(other.home.runs) == []


def test_a_file_that_is_not_there_is_said(other: Client, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="There is no file"):
        import_run(other, tmp_path / "nothing")


def test_a_run_in_the_trash_is_not_imported_beside_itself(yard: Yard, tmp_path: Path) -> None:
    row = a_full_run(yard, tmp_path)
    export_run(yard.client, row.id, tmp_path / "run")
    trash.put(yard.client, [row.id])

    with pytest.raises(ConflictError, match="in the trash"):
        import_run(yard.client, tmp_path / "run")
