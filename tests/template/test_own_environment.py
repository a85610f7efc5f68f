"""A new project on a new machine: an environment of its own, Runyard installed from this checkout, its tests pass.

Nothing of the environment that runs this test is used, except that PyTorch is taken in the same version: which build
fits a machine is for its owner to decide.
"""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runyard.project.new import Framework

CHECKOUT = Path(__file__).parents[2]
MOST_PACKAGES = 45  # 43 in November 2026, 13 of them for Copier; but `runyard new` must work at once
MOST_MB = 160

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


class Machine:
    """A folder with an environment, and commands that see no other one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.venv = folder / "venv"
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV", "RUNYARD"))
        }
        self._environment = {
            **kept,
            "PATH": f"{self.venv / 'bin'}:{os.environ['PATH']}",
            "RUNYARD_HOME": str(folder / "home"),
        }
        if links := os.environ.get("PIP_FIND_LINKS"):  # where this machine has its build of PyTorch; both know it then
            self._environment.setdefault("UV_FIND_LINKS", links)
        self.call(sys.executable, "-m", "venv", str(self.venv), at=folder)

    def call(self, *command: str, at: Path) -> str:
        """What a command printed; it must succeed."""
        done = subprocess.run(
            command, cwd=at, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-6000:]}"
        return done.stdout

    def install(self, *wanted: str, at: Path) -> None:
        # not all modules of all packages: the tests compile what they import
        python = str(self.venv / "bin" / "python")
        if uv := shutil.which("uv"):  # a quarter of the time: it unpacks each package once for all environments
            self.call(uv, "pip", "install", "--quiet", "--python", python, *wanted, at=at)
        else:
            self.call(python, "-m", "pip", "install", "--quiet", "--no-compile", *wanted, at=at)


def torch_as_here() -> str:
    try:
        return importlib.metadata.version("torch").split("+")[0]
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("torch is not installed, so no version of it is known to fit this machine")


@pytest.mark.parametrize("framework", ["sklearn", "torch"])
def test_a_new_project_passes_its_tests_in_an_environment_of_its_own(framework: Framework, tmp_path: Path) -> None:
    constraints = tmp_path / "constraints.txt"
    constraints.write_text(f"torch=={torch_as_here()}\n" if framework == "torch" else "")
    machine = Machine(tmp_path)

    machine.install(str(CHECKOUT), at=tmp_path)
    assert_light(machine)
    machine.call("runyard", "new", "weld-seam", "--framework", framework, at=tmp_path)
    project = tmp_path / "weld-seam"
    machine.install("-r", "requirements.txt", "-c", str(constraints), at=project)

    assert re.search(
        r"Ran 1\d tests.*\nOK", machine.call("python", "-m", "unittest", "discover", at=project), re.DOTALL
    )
    assert re.search(r" 1\d passed", machine.call("pytest", "-p", "no:cacheprovider", at=project))
    assert re.search(r" 1\d passed", machine.call("python", "run.py", "test", at=project))


def assert_light(machine: Machine) -> None:
    """What `pip install runyard` brings stays small."""
    (packages,) = machine.venv.glob("lib/python*/site-packages")
    names = {path.name for path in packages.glob("*.dist-info")}
    size = sum(file.stat().st_size for file in packages.rglob("*") if file.is_file() and not file.is_symlink())
    own = [name for name in names if not name.startswith(("pip-", "setuptools-"))]  # a venv begins with these
    assert len(own) <= MOST_PACKAGES, sorted(own)
    assert size / 1e6 <= MOST_MB, f"{size / 1e6:.0f} MB"
