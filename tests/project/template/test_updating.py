"""Three versions of a team's template, and a project that was edited in all classes of files."""

import shutil
import subprocess
from pathlib import Path

import pytest

from runyard.errors import UsageError
from runyard.project.new import new
from runyard.project.template.answers import read_answers
from runyard.project.template.sources import template_folder
from runyard.project.template.updating import NeedsYou, try_out, update

pytestmark = [pytest.mark.usefixtures("user_home"), pytest.mark.slow]

PIPELINE = "project/{{ gitlab }}"
TRAIN = "project/{{ src_sklearn }}/train.py.jinja"


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def commit(folder: Path, message: str, tag: str = "") -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    if tag:
        git(folder, "tag", tag)


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a team's template of three versions, each changing all classes of files, and a project of the first."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(folder))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        (folder / ".gitconfig").write_text("[user]\nname = Ada\nemail = ada@example.org\n")
        template = shutil.copytree(template_folder(), folder / "template")
        git(template, "init", "--quiet", "--initial-branch=main")
        commit(template, "one", "1.0.0")
        new("weld-seam", folder / "weld-seam", source=str(template))
        change(template / "project" / "run.py", "Managed by Runyard", "Managed, the second way")
        change(template / PIPELINE, "python:3.12 #", "python:3.13 #")
        change(template / TRAIN, "# ---- data ----", "# ---- data, the second way ----")
        commit(template, "two", "v1.1.0")
        change(template / PIPELINE, "integration, build]", "integration, build, deploy]")
        change(template / "project" / "requirements.txt.jinja", "numpy>=1.26,<3", "numpy>=2,<3")
        (template / "project" / "src" / "utils" / "timing.py").write_text('"""Timing."""\n')
        change(template / "project" / "README.md.jinja", "## What is where", "## Where is what")
        commit(template, "three", "1.2.0")
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    """A project of the version 1.0.0 on its branch main."""
    return shutil.copytree(made / "weld-seam", tmp_path / "weld-seam")


def edit_everywhere(project: Path) -> None:
    change(project / "run.py", "raise SystemExit", "print('mine')\nraise SystemExit")
    change(project / ".gitlab-ci.yml", "    - ruff check .", "    - ruff check .\n    - echo mine")
    change(project / "src" / "train.py", "# ---- data ----", "# ---- my data ----")
    (project / "README.md").write_text("mine\n")
    git(project, "rm", "-r", "--quiet", "tests/data/0000.png", "src/visualization")
    commit(project, "mine")


def test_update_over_two_versions_merges_and_leaves_what_is_owned_alone(project: Path) -> None:
    edit_everywhere(project)
    owned = git(project, "ls-tree", "-r", "HEAD", "src", "tests", "README.md", "runyard.toml")

    done = update(project)

    assert (done.before, done.version, done.branch) == ("1.0.0", "1.2.0", "runyard/template-1.2.0")
    assert done.is_committed
    assert done.conflicts == ()
    assert git(project, "branch", "--show-current").strip() == done.branch
    assert git(project, "status", "--porcelain") == ""
    # managed: the template's, whatever was written into it
    assert (project / "run.py").read_text().startswith("# Managed, the second way")
    assert "mine" not in (project / "run.py").read_text()
    # merged: what both sides changed in different places
    pipeline = (project / ".gitlab-ci.yml").read_text()
    assert "python:3.13 #" in pipeline
    assert "build, deploy]" in pipeline
    assert "- echo mine" in pipeline
    assert "numpy>=2,<3" in (project / "requirements.txt").read_text()
    # owned: as it was, except for a file that is new
    assert (project / "src" / "utils" / "timing.py").is_file()
    git(project, "rm", "--quiet", "--cached", "src/utils/timing.py")
    tree = git(project, "write-tree").strip()
    assert git(project, "ls-tree", "-r", tree, "src", "tests", "README.md", "runyard.toml") == owned
    answers = read_answers(project)
    assert answers is not None
    assert answers.version == "1.2.0"


def test_named_version_is_taken_over_and_no_newer_one(project: Path) -> None:
    done = update(project, to="1.1.0")

    assert (done.before, done.version) == ("1.0.0", "v1.1.0")
    assert git(project, "log", "-1", "--format=%s").strip() == "Update the template to v1.1.0"
    assert "numpy>=1.26,<3" in (project / "requirements.txt").read_text()
    assert update(project, to="1.1.0").branch == ""


def test_conflicts_are_listed_with_what_both_sides_changed_and_nothing_is_committed(project: Path) -> None:
    change(project / ".gitlab-ci.yml", "build]", "build, mine]")
    change(project / "requirements.txt", "numpy>=1.26,<3", "numpy==2.1.0")
    change(project / "run.py", "Managed by", "Mine, not")
    commit(project, "mine")
    head = git(project, "rev-parse", "HEAD")

    with pytest.raises(NeedsYou) as caught:
        update(project)

    assert caught.value.exit_code == 3
    assert str(caught.value).splitlines() == [
        "runyard update: 2 files need you (branch runyard/template-1.2.0):",
        "  .gitlab-ci.yml    both sides changed 'stages'",
        "  requirements.txt  both sides changed 'numpy'",
        "Resolve them, then `git add` and `git commit`. To go back: "
        "`git switch --discard-changes - && git branch -D runyard/template-1.2.0`.",
    ]
    assert git(project, "rev-parse", "HEAD") == head
    assert "<<<<<<<" in (project / ".gitlab-ci.yml").read_text()
    assert (project / "run.py").read_text().startswith("# Managed, the second way")


def test_the_way_back_that_is_told_leaves_no_trace(project: Path) -> None:
    change(project / ".gitlab-ci.yml", "build]", "build, mine]")
    commit(project, "mine")
    with pytest.raises(NeedsYou):
        update(project)

    git(project, "switch", "--discard-changes", "-")
    git(project, "branch", "-D", "runyard/template-1.2.0")

    assert git(project, "status", "--porcelain") == ""
    assert git(project, "branch", "--show-current").strip() == "main"
    assert not (project / "src" / "utils" / "timing.py").exists()


def test_trying_out_tells_the_same_and_changes_nothing(project: Path) -> None:
    change(project / ".gitlab-ci.yml", "build]", "build, mine]")
    commit(project, "mine")

    tried = try_out(project)

    assert [each.path for each in tried.conflicts] == [".gitlab-ci.yml"]
    assert "src/utils/timing.py" in tried.changed
    assert not tried.is_committed
    assert git(project, "status", "--porcelain") == ""
    assert git(project, "branch", "--format=%(refname:short)") == "main\n"


def test_uncommitted_changes_and_a_branch_from_before_are_told(project: Path) -> None:
    (project / "new.txt").touch()
    with pytest.raises(UsageError, match=r"new\.txt in .* is not committed"):
        update(project)
    (project / "new.txt").unlink()

    git(project, "branch", "runyard/template-1.2.0")
    with pytest.raises(UsageError, match="is there from an earlier update"):
        update(project)
    assert git(project, "branch", "--show-current").strip() == "main"


def test_older_and_unknown_versions_are_refused(project: Path) -> None:
    change(project / ".copier-answers.yml", '_commit: "1.0.0"', '_commit: "1.2.0"')

    with pytest.raises(UsageError, match="newer than 1.0.0"):
        update(project, to="1.0.0")
    with pytest.raises(UsageError, match="has no version 7"):
        update(project, to="7")


def test_project_without_template_or_repository_is_told(project: Path) -> None:
    shutil.rmtree(project / ".git")
    with pytest.raises(UsageError, match="git init"):
        update(project)
    (project / ".copier-answers.yml").unlink()
    with pytest.raises(UsageError, match="runyard adopt"):
        update(project)


def test_failed_update_leaves_the_project_as_it_was(project: Path, made: Path, tmp_path: Path) -> None:
    template = shutil.copytree(made / "template", tmp_path / "evil")
    change(project / ".copier-answers.yml", str(made / "template"), str(template))
    commit(project, "another address")
    (template / "copier.yml").write_text((template / "copier.yml").read_text() + '\n_tasks: ["touch owned"]\n')
    commit(template, "evil", "1.3.0")

    with pytest.raises(UsageError, match="would execute code"):
        update(project)

    assert git(project, "status", "--porcelain") == ""
    assert git(project, "branch", "--format=%(refname:short)") == "main\n"
    assert not (project / "owned").exists()
