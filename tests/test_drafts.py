"""Files that appear whole or not at all, and what is said of a disk that refuses."""

import errno
import os
import shutil
import threading
from pathlib import Path

import pytest

from runyard.drafts import drafted, refused
from runyard.errors import UsageError


def test_a_file_is_replaced_at_the_end_and_only_then(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    with drafted(path) as draft:
        draft.write_text("new")
        assert path.read_text() == "old"

    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["report.html"]


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    with pytest.raises(KeyError), drafted(path) as draft:
        _fail_halfway(draft)

    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["report.html"]


def _fail_halfway(draft: Path) -> None:
    draft.write_text("half")
    raise KeyError


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")

    with drafted(tmp_path / "link") as draft:
        draft.write_text("new")

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_a_pipe_is_written_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()

    with drafted(pipe) as draft:
        draft.write_text("new")

    reader.join(timeout=10)
    assert read == ["new"]
    assert pipe.is_fifo()


def test_a_folder_in_the_way_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is a folder\. Name a file in it"), drafted(tmp_path):
        pass


def test_a_full_disk_is_told_with_the_name_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "report.html"

    with pytest.raises(OSError, match="No space left") as caught, drafted(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # as a write says it, which knows no name

    assert refused(caught.value) == f"No space left on device: {path}. Make room there, and repeat the command."


def test_a_copy_that_fails_for_many_files_is_told_by_the_first(tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    for name in ("a", "b"):
        (tmp_path / "from" / name).symlink_to("nowhere")

    with pytest.raises(shutil.Error) as caught:
        shutil.copytree(tmp_path / "from", tmp_path / "to")

    said = refused(caught.value)
    assert said.startswith("No such file or directory: ")
    assert len(said) < 200
    full = f"[Errno {errno.ENOSPC}] No space left on device: 'x' -> 'y'"
    assert refused(shutil.Error([("x", "y", full)] * 99)) == (
        "No space left on device: y. Make room there, and repeat the command."
    )
