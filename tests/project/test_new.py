"""`runyard new`: a project from the template."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runyard.errors import ServiceError, UsageError
from runyard.project.new import FIRST_COMMIT, new
from runyard.project.project import load_project

pytestmark = pytest.mark.usefixtures("user_home")


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def test_new_project_is_one_and_has_a_first_commit(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made = new("weld-seam", tmp_path / "weld-seam")

    assert (made.path, made.note) == (tmp_path / "weld-seam", "")
    assert load_project(made.path).name == "weld-seam"
    assert git(made.path, "log", "--format=%s") == f"{FIRST_COMMIT}\n"
    assert git(made.path, "status", "--porcelain", "--ignored") == ""
    assert capfd.readouterr() == ("", "")


def test_name_alone_makes_a_folder_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert new("weld-seam").path == tmp_path / "weld-seam"


def test_empty_folder_may_be_filled(tmp_path: Path) -> None:
    target = tmp_path / "empty"
    target.mkdir()

    assert (new("weld-seam", target).path / "run.py").is_file()


def test_nothing_is_committed_in_the_name_of_nobody(tmp_path: Path, user_home: Path) -> None:
    (user_home / ".gitconfig").write_text("")

    made = new("weld-seam", tmp_path / "weld-seam")

    assert "nothing was committed" in made.note
    assert "?? run.py" in git(made.path, "status", "--porcelain")


def test_no_repository_is_started_inside_another(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")

    made = new("weld-seam", tmp_path / "weld-seam")

    assert "lies in a Git repository already" in made.note
    assert not (made.path / ".git").exists()


def test_folder_that_a_repository_ignores_gets_its_own(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / ".gitignore").write_text("/demo/\n")

    made = new("weld-seam", tmp_path / "demo")

    assert made.note == ""
    assert (made.path / ".git").is_dir()


def test_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()

    with pytest.raises(UsageError, match="is not empty"):
        new("weld-seam", tmp_path)
    assert [file.name for file in tmp_path.iterdir() if file.name != "user"] == ["mine.txt"]


KILLED = """
import os, sys
from pathlib import Path
from runyard.project.new import new

def watch(event, arguments):
    if event == "open" and str(arguments[0]).endswith("/run.py") and arguments[2] & os.O_CREAT:
        os.kill(os.getpid(), 9)

sys.addaudithook(watch)
new("weld-seam", Path(sys.argv[1]))
"""


def test_a_project_is_there_whole_or_not_at_all(tmp_path: Path, user_home: Path) -> None:
    target = tmp_path / "weld-seam"

    killed = subprocess.run([sys.executable, "-c", KILLED, str(target)])

    assert killed.returncode == -signal.SIGKILL
    assert not target.exists()
    assert (new("weld-seam", target).path / "run.py").exists()


def test_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "weld-seam").touch()

    with pytest.raises(UsageError, match="exists and is no folder"):
        new("weld-seam", tmp_path / "weld-seam")


def test_bad_name_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no name for a project"):
        new("../evil", tmp_path / "evil")
    assert not (tmp_path / "evil").exists()


def test_unknown_framework_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no framework 'jax'"):
        new("weld-seam", tmp_path / "weld-seam", framework="jax")  # type: ignore[arg-type]  # as from a command line


def test_detection_with_scikit_learn_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"which scikit-learn does not have\. Choose --framework torch"):
        new("weld-seam", tmp_path / "weld-seam", task="detection")
    assert not (tmp_path / "weld-seam").exists()


def test_template_is_remembered_by_a_path_that_is_right_on_every_machine(tmp_path: Path, user_home: Path) -> None:
    made = new("weld-seam", tmp_path / "weld-seam")

    answers = (made.path / ".copier-answers.yml").read_text()
    assert '_src_path: "~/.local/share/runyard/template.bundle"' in answers
    assert (user_home / ".local" / "share" / "runyard" / "template.bundle").is_file()


def test_template_that_would_execute_code_is_refused(tmp_path: Path) -> None:
    template = tmp_path / "template"
    (template / "project").mkdir(parents=True)
    (template / "copier.yml").write_text(f'_subdirectory: project\n_tasks: ["touch {tmp_path}/owned"]\n')
    for command in (["init", "--quiet"], ["add", "-A"], ["commit", "--quiet", "-m", "one"], ["tag", "1.0.0"]):
        git(template, *command)

    with pytest.raises(UsageError, match="would execute code"):
        new("weld-seam", tmp_path / "weld-seam", source=str(template))
    assert not (tmp_path / "owned").exists()


def test_template_without_versions_or_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "template").mkdir()
    git(tmp_path / "template", "init", "--quiet")

    with pytest.raises(UsageError, match="has no versions"):
        new("weld-seam", tmp_path / "weld-seam", source=str(tmp_path / "template"))
    with pytest.raises(ServiceError, match="`git ls-remote` failed"):
        new("weld-seam", tmp_path / "weld-seam", source=str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="is no address"):
        new("weld-seam", tmp_path / "weld-seam", source="--upload-pack=touch")
