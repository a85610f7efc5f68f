"""From a training to the customer: a new project is trained, shown, packed, and works without a network."""

import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from runyard.project.new import new
from tests import warm
from tests.cli.builders import environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
for package in ("streamlit", "sklearn", "skops", "PIL"):
    pytest.importorskip(package, reason=f"needs {package}: pip install 'runyard[streamlit,sklearn]'")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A new project with two runs, and the variables to work in it."""
    folder = tmp_path_factory.mktemp("showing")
    project = new("digits", folder / "digits").path
    variables = environment(folder / "home", PYTHONDONTWRITEBYTECODE="1")
    for setting in ("epochs=12", "epochs=2"):
        call(project, variables, "run.py", "train", setting)
    return project, variables


def call(project: Path, variables: dict[str, str], *command: str) -> str:
    done = warm.call(command, cwd=project, env=variables)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_explore_opens_the_page_of_a_new_project(trained: tuple[Path, dict[str, str]]) -> None:
    project, variables = trained
    process = subprocess.Popen(
        [sys.executable, "run.py", "explore", "--compare", "last", "--no-browser"],
        cwd=project,
        env=variables,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        found = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
        assert found
        with urllib.request.urlopen(found[0], timeout=30) as answer:
            assert b"<script" in answer.read()
    finally:
        process.terminate()
        process.stdout.close()
        assert process.wait(60) == 0


def test_a_packed_demo_works_where_neither_network_nor_home_is(
    trained: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    project, variables = trained
    demo = tmp_path / "demo"

    pack = ["-m", "runyard", "demo", "pack", "best", "--compare", "last", "--out"]
    call(project, variables, *pack, str(tmp_path / "whole"))
    call(project, variables, *pack, str(demo), "--redact")
    (tmp_path / "whole").rename(tmp_path / "elsewhere")
    sums = [check_sums(folder) for folder in (tmp_path / "elsewhere", demo)]
    told = call(tmp_path, environment(tmp_path / "nowhere"), "-m", "runyard", "demo", "check", str(demo))

    assert sums == [0, 0]
    assert (tmp_path / "elsewhere" / "app" / "run.py").is_file()
    assert sorted(each.name for each in (demo / "app").iterdir()) == ["src", "tests"]
    private = [str(project), str(tmp_path), "/home/"]
    assert [name for name in private for path in files_of(demo) if name.encode() in path.read_bytes()] == []
    assert re.findall(r"^(\w+) +(\w+)", told, re.MULTILINE) == [
        *(("ok", page) for page in ("try", "threshold", "errors", "compare", "report", "server")),
        ("ok", "nobody"),
    ]
    assert not (tmp_path / "nowhere").exists()


def check_sums(folder: Path) -> int:
    return subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=folder, check=False).returncode


def files_of(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_explore_refuses_what_is_not_there(trained: tuple[Path, dict[str, str]]) -> None:
    project, variables = trained

    for option, message in ((("--run", "nobody"), "nobody"), (("--lang", "fr"), "'fr' is none of the languages")):
        done = subprocess.run(
            [sys.executable, "run.py", "explore", *option], cwd=project, env=variables, capture_output=True, text=True
        )
        assert done.returncode == 2
        assert message in done.stderr
        assert "Traceback" not in done.stderr
