"""The template as a Git bundle, written and read without Git; Git itself is asked what it thinks of it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from runyard.project.template.bundle import RELEASED_FILE, bundle_folder, decode, encode
from runyard.project.template.sources import OWN_ADDRESS, OwnTemplate, choose, sort_versions, template_folder

pytestmark = pytest.mark.usefixtures("user_home")


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A small template of version 1.0.0."""
    folder = tmp_path / "template"
    (folder / "project" / "src").mkdir(parents=True)
    (folder / "copier.yml").write_text("_subdirectory: project\n")
    (folder / "VERSION").write_text("1.0.0\n")
    (folder / "project" / "run.py").write_text("one\n")
    (folder / "project" / "src" / "empty.py").write_bytes(b"")
    (folder / "project" / "large.bin").write_bytes(bytes(range(256)) * 1000)
    return folder


def release(template: Path, next_version: str) -> None:
    (template / RELEASED_FILE).write_bytes(bundle_folder(template))
    (template / "VERSION").write_text(next_version)


def test_git_finds_the_bundle_in_order_and_the_same_files_in_it(tmp_path: Path) -> None:
    (tmp_path / "own.bundle").write_bytes(bundle_folder(template_folder()))

    git(tmp_path, "clone", "--quiet", "own.bundle", "clone")

    assert git(tmp_path / "clone", "fsck", "--strict") == ""
    for name in git(tmp_path / "clone", "ls-files", "-z").split("\0")[:-1]:
        assert (tmp_path / "clone" / name).read_bytes() == (template_folder() / name).read_bytes(), name
    assert git(tmp_path / "clone", "tag") == (template_folder() / "VERSION").read_text()


def test_same_files_give_the_same_bytes_whatever_else_lies_there(template: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(template, tmp_path / "copy")
    (copy / "project" / "src" / "__pycache__").mkdir()
    (copy / "project" / "src" / "__pycache__" / "left.pyc").touch()

    assert bundle_folder(copy) == bundle_folder(template)


def test_released_versions_stay_and_the_new_one_comes_after_them(template: Path, tmp_path: Path) -> None:
    first = decode(bundle_folder(template)).tags["1.0.0"]
    release(template, "1.1.0\n")
    (template / "project" / "run.py").write_text("two\n")
    (tmp_path / "b.bundle").write_bytes(bundle_folder(template))

    bundle = decode(bundle_folder(template))
    git(tmp_path, "clone", "--quiet", "b.bundle", "clone")

    assert list(bundle.tags) == ["1.0.0", "1.1.0"]
    assert bundle.tags["1.0.0"] == first
    assert [bundle.read(version, "project/run.py") for version in bundle.tags] == [b"one\n", b"two\n"]
    assert bundle.read("1.1.0", "project/src/empty.py") == b""
    assert bundle.read("1.1.0", "project/nothing/here") is None
    assert git(tmp_path / "clone", "log", "--format=%s %d").splitlines()[1] == "Template 1.0.0  (tag: 1.0.0)"
    assert git(tmp_path / "clone", "diff", "--stat", "1.0.0", "1.1.0").count("|") == 1


def test_what_was_released_cannot_be_changed(template: Path) -> None:
    release(template, "1.0.0\n")
    assert decode(bundle_folder(template)).tags.keys() == {"1.0.0"}

    (template / "project" / "run.py").write_text("two\n")

    with pytest.raises(ValueError, match="1.0.0 was released with other files"):
        bundle_folder(template)


def test_bundle_of_git_itself_and_other_bytes_are_refused(template: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no bundle"):
        decode(b"something else")
    data = bundle_folder(template)
    assert encode(decode(data)) == data


def test_newer_bundle_of_another_runyard_is_left_in_place_and_anything_else_replaced(
    template: Path, user_home: Path
) -> None:
    path = Path(OWN_ADDRESS).expanduser()
    assert path.is_relative_to(user_home)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"damaged")

    OwnTemplate().provide()
    assert path.read_bytes() == bundle_folder(template_folder())

    newer = decode(path.read_bytes())
    path.write_bytes(encode(type(newer)({**newer.tags, "99.0": newer.tags["0.1.0"]}, newer.objects)))
    there = path.read_bytes()
    OwnTemplate().provide()
    assert path.read_bytes() == there


def test_versions_are_sorted_as_versions_and_chosen_with_or_without_a_v() -> None:
    versions = sort_versions(["v1.10.0", "v1.9.0", "nightly", "v2.0.0rc1"])

    assert versions == ["v1.9.0", "v1.10.0", "v2.0.0rc1"]
    assert choose(versions, None) == "v1.10.0"
    assert choose(versions, "1.9.0") == "v1.9.0"
    with pytest.raises(Exception, match=r"no version 3. It has: v1.9.0"):
        choose(versions, "3")
