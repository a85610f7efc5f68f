"""Environments of then: equal packages are linked, others installed, and what cannot be had is told."""

import platform
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import runyard
from runyard.errors import ServiceError
from runyard.project.environments import build, differing
from runyard.supervisor.environment import describe_environment, packages

pytestmark = pytest.mark.slow

PYTHON = platform.python_version()

Build = Callable[..., Path]


def wheel(folder: Path, name: str, version: str) -> None:
    """A package of one module, as an index would offer it."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


@pytest.fixture
def present() -> dict[str, str]:
    return packages()


@pytest.fixture
def build_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, present: dict[str, str]) -> Build:
    """Build an environment of what is here and a little more, from a folder of wheels and no network."""
    for version in ("1.0", "2.0"):
        wheel(tmp_path / "wheels", "scales", version)
    for name in ("PIP_FIND_LINKS", "UV_FIND_LINKS"):
        monkeypatch.setenv(name, str(tmp_path / "wheels"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("UV_NO_INDEX", "1")

    def build_it(python: str = PYTHON, say: Callable[[str], None] = lambda text: None, **more: str) -> Path:
        return build({**present, **more}, present, python=python, folder=tmp_path / "environments", say=say)

    return build_it


def asked(python: Path, code: str) -> str:
    done = subprocess.run([str(python), "-c", code], env={}, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def test_packages_that_differ_are_found_whatever_the_spelling() -> None:
    then = {"Scikit_Learn": "1.5", "numpy": "2.0", "gone": "1", "runyard": "0.1.0"}
    now = {"scikit-learn": "1.5", "numpy": "2.1", "new": "3", "runyard": "0.2.0"}

    assert differing(then, now) == {"gone": ("1", ""), "new": ("", "3"), "numpy": ("2.0", "2.1")}


def test_environment_of_then_has_its_packages_and_this_runyard(build_here: Build, present: dict[str, str]) -> None:
    said: list[str] = []

    python = build_here(scales="1.0", say=said.append)

    assert said == ["installing 1 package: scales==1.0"]
    code = "import scales, numpy, runyard; print(scales.VERSION, numpy.__version__, runyard.__file__)"
    version, numpy, ours = asked(python, code).split()
    assert (version, numpy) == ("1.0", present["numpy"])
    assert Path(ours).resolve() == Path(runyard.__file__).resolve()
    recorded = describe_environment({}, interpreter=str(python))
    assert differing(recorded.packages, {**present, "scales": "1.0"}) == {}
    assert recorded.python == f"{PYTHON} {python}"

    assert build_here(scales="1.0", say=said.append) == python
    assert len(said) == 1


def test_environment_whose_packages_were_changed_is_built_anew(build_here: Build) -> None:
    site = next(build_here().parent.parent.glob("lib/python*/site-packages"))
    (link,) = site.glob("msgspec-*.dist-info")
    link.unlink()

    build_here()

    assert link.is_symlink()


def test_package_that_nobody_offers_is_told(build_here: Build) -> None:
    with pytest.raises(ServiceError, match=r"cannot be installed: .*scales==3\.0.* --env same uses this environment"):
        build_here(scales="3.0")


def test_python_that_is_not_here_is_told(build_here: Build) -> None:
    with pytest.raises(ServiceError, match=r"Python 2\.6 is not on this machine, and the run had 2\.6\.9\. Install it"):
        build_here(python="2.6.9")
