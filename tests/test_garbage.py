"""Garbage is looked for seldom while a program starts, and as usual once a project's code is in it."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import gc, sys
from pathlib import Path
usual = gc.get_threshold()
from runyard import garbage
from runyard.project.importing import import_from
garbage.collect_rarely()
rare = gc.get_threshold()
import_from(Path(sys.argv[1]), "theirs")
assert rare[0] > 10 * usual[0], rare
print("usual" if gc.get_threshold() == usual else gc.get_threshold()[0])
"""


def after_importing(folder: Path, text: str) -> str:
    (folder / "theirs.py").write_text(text)
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(folder)], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_garbage_is_looked_for_as_usual_once_code_of_a_project_is_imported(tmp_path: Path) -> None:
    assert after_importing(tmp_path, "") == "usual"


def test_a_project_that_sets_a_threshold_itself_keeps_it(tmp_path: Path) -> None:
    assert after_importing(tmp_path, "import gc; gc.set_threshold(12_345)") == "12345"
