"""What gets into an image: what .dockerignore leaves, read as Docker reads it, and our own wheel."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import runyard
from runyard.delivery.context import checksum, lay_out, needed_by
from runyard.delivery.ignoring import Ignored
from runyard.delivery.own_wheel import write_own_wheel
from runyard.delivery.proof import belongs
from runyard.errors import NotFound, UsageError
from runyard.project.new import new
from runyard.tracking.models import Manifest
from tests.serve.small_project import package


@pytest.mark.parametrize(
    ("patterns", "left_out", "kept"),
    [
        ("*.log", ["a.log"], ["deep/a.log", "a.txt"]),
        ("**/*.log", ["a.log", "deep/er/a.log"], ["a.txt"]),
        ("data", ["data", "data/a.png"], ["database", "src/data"]),
        ("*\n!src", ["a", "tests/b"], ["src/a", "src/deep/b"]),
        ("*\n!src\nsrc/secret", ["src/secret/a", "x"], ["src/a"]),
        ("# a comment\n\n/top", ["top"], ["deep/top"]),
        ("a?c", ["abc"], ["ac", "a/c"]),
        ("[ab].txt", ["a.txt"], ["c.txt"]),
        ("**/.*", [".env", "src/.cache/x"], ["src/a"]),
        ("**/x/**", ["x/a", "b/x/a/c"], ["x"]),
    ],
)
def test_patterns_mean_what_they_mean_to_docker(patterns: str, left_out: list[str], kept: list[str]) -> None:
    ignored = Ignored(patterns)

    assert [path for path in [*left_out, *kept] if path in ignored] == left_out


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = new("weld-seam", tmp_path_factory.mktemp("project") / "weld-seam").path
    for name in ("data/secret.png", "runs/x", "src/notes.ipynb", "src/__pycache__/a.pyc", "src/.env", "model/old.pkl"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()
    (root / "src" / "link.py").symlink_to("/etc/passwd")
    return root


def test_only_code_model_and_wheels_get_into_the_context(project: Path, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / "numpy-2-py3-none-any.whl").touch()
    (wheels / "runyard-9-py3-none-any.whl").touch()
    (tmp_path / "context").mkdir()

    lay_out(project, tmp_path / "context", model=package(tmp_path), wheels=wheels)

    found = {path.relative_to(tmp_path / "context").as_posix() for path in (tmp_path / "context").rglob("*.*")}
    assert {name for name in found if not name.startswith(("src/", "model/"))} == {
        "requirements.txt",
        "docker/main.py",
        "wheels/numpy-2-py3-none-any.whl",
        f"wheels/runyard-{runyard.__version__}-py3-none-any.whl",
    }
    assert {"model/manifest.json", "model/golden/samples.json", "src/inference.py"} <= found
    assert not {name for name in found if name.endswith((".pyc", ".ipynb", ".env", ".pkl", "link.py", "explore.py"))}


def test_other_wheels_have_another_checksum(tmp_path: Path) -> None:
    (tmp_path / "a.whl").write_bytes(b"one")
    before = checksum(tmp_path)

    (tmp_path / "a.whl").write_bytes(b"two")
    changed = checksum(tmp_path)
    (tmp_path / "a.whl").rename(tmp_path / "b.whl")

    assert len({before, changed, checksum(tmp_path)}) == 3


def test_what_is_missing_is_named(project: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no docker/Dockerfile"):
        lay_out(tmp_path, tmp_path / "context", model=None, wheels=None)
    with pytest.raises(UsageError, match="no wheels in"):
        lay_out(project, tmp_path / "one", model=None, wheels=tmp_path)
    with pytest.raises(NotFound, match="holds no model"):
        lay_out(project, tmp_path / "two", model=tmp_path, wheels=None)


def test_a_model_in_onnx_needs_its_runtime_instead_of_torch() -> None:
    manifest = Manifest(framework="onnx", type="x", versions={}, files={})

    assert needed_by('FROM x\nARG NEEDS="numpy pillow torch safetensors"\n', manifest) == "numpy pillow onnxruntime"
    assert needed_by('ARG NEEDS="numpy"\n', Manifest(framework="torch", type="x", versions={}, files={})) is None


def test_our_own_wheel_can_be_installed_and_serves(tmp_path: Path) -> None:
    wheel = write_own_wheel(tmp_path)

    pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile", "--target"]
    subprocess.run([sys.executable, *pip, str(tmp_path / "site"), str(wheel)], check=True)
    said = subprocess.run(
        [sys.executable, "-m", "runyard.serve.needs"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    names = zipfile.ZipFile(wheel).namelist()
    assert "fastapi>=" in said
    assert "runyard/delivery/handover/load.sh" in names
    assert not [name for name in names if "_template" in name or "__pycache__" in name]
    assert wheel.read_bytes() == write_own_wheel(tmp_path).read_bytes()


@pytest.mark.parametrize(
    ("path", "is_good"),
    [
        ("app/src/train.py", True),
        ("model/golden/0.png", True),
        ("usr/lib/python3/tests/x", True),
        ("venv/lib/python3.12/site-packages/a/data/x", True),
        ("app/tests/unit/test_x.py", False),
        ("app/data/a.png", False),
        ("app/.git/HEAD", False),
        ("home/app/.git/HEAD", False),
        ("app/src/a.ipynb", False),
        ("runs/x", False),
        ("app/.env", False),
    ],
)
def test_what_must_not_be_in_a_layer_is_known(path: str, is_good: bool) -> None:
    assert belongs(path) is is_good
