"""The file of labels in doubt."""

import subprocess
import sys
from pathlib import Path

import pytest

from runyard.apps.evaluation import Doubt, Doubts
from runyard.errors import UsageError


def test_a_doubt_is_kept_replaced_and_taken_back(tmp_path: Path) -> None:
    doubts = Doubts(tmp_path / "labels-in-doubt.csv")

    doubts.add(Doubt(id="7.png", label="ok", answer="defect", run="8fk2"))
    doubts.add(Doubt(id="9.png", label="ok"))
    doubts.add(Doubt(id="7.png", label="ok", right_label="defect"))
    doubts.remove("9.png")
    doubts.remove("never there")

    (doubt,) = Doubts(doubts.path).all().values()
    assert (doubt.id, doubt.right_label, doubt.at[-1]) == ("7.png", "defect", "Z")


def test_hostile_texts_come_back_as_they_were(tmp_path: Path) -> None:
    doubts = Doubts(tmp_path / "labels-in-doubt.csv")
    name = 'a,"b"\n=cmd()\r<script>\u202e'

    doubts.add(Doubt(id=name, label=name))

    assert doubts.all()[name].label == name


def test_doubts_of_several_processes_are_all_kept(tmp_path: Path) -> None:
    path = tmp_path / "labels-in-doubt.csv"
    program = (
        "import sys; from pathlib import Path; from runyard.apps.evaluation.doubts import Doubt, Doubts;"
        "[Doubts(Path(sys.argv[1])).add(Doubt(id=f'{sys.argv[2]}-{n}')) for n in range(20)]"
    )

    running = [subprocess.Popen([sys.executable, "-c", program, str(path), name]) for name in "ab"]

    assert [process.wait(60) for process in running] == [0, 0]
    assert len(Doubts(path).all()) == 40


def test_a_file_that_is_no_such_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "labels-in-doubt.csv").write_text("file,label\n")

    with pytest.raises(UsageError, match="no column 'id'"):
        Doubts(tmp_path / "labels-in-doubt.csv").all()
