"""The bundle for a site without network: whole, checked, and telling what is inside."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import msgspec
import pytest

from runyard.delivery.archive import ImageArchive
from runyard.delivery.bundle import Bundle, save_bundle
from runyard.delivery.components import licence_table, read_contents
from runyard.delivery.engines import Engine, find_engine
from runyard.errors import ServiceError, UsageError
from runyard.serve.golden import read_samples
from runyard.tracking.models import read_manifest, write_manifest
from tests.delivery.images import BASE, OURS, TAG, engine_that_knows, saved_image
from tests.serve.small_project import package


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """One that knows a small image."""
    saved_image(tmp_path / "image.tar")
    (tmp_path / "bin").mkdir()
    engine_that_knows(tmp_path / "image.tar", tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return Engine("podman")


def load(folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["sh", folder / "load.sh"], env={**os.environ, "ENGINE": "podman"}, capture_output=True, text=True, check=False
    )


def test_an_image_is_read_without_an_engine(tmp_path: Path) -> None:
    identity = saved_image(tmp_path / "image.tar")

    with ImageArchive(tmp_path / "image.tar") as archive:
        layers = list(archive.layers())
        files = archive.read(lambda path: True)

    assert (archive.id, archive.tags) == (identity, [TAG])
    assert "app/src/train.py" in layers[1].paths
    assert layers[1].size_bytes == sum(map(len, OURS.values()))
    assert "etc/old" not in files  # the second layer has taken it away
    assert files["app/src/train.py"] == b"pass"


def test_a_file_that_is_no_image_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"no tar")

    with pytest.raises(ServiceError, match="is no saved image"):
        ImageArchive(tmp_path / "x.tar")


def test_all_software_inside_is_listed_with_its_licence(tmp_path: Path) -> None:
    saved_image(tmp_path / "image.tar")

    with ImageArchive(tmp_path / "image.tar") as archive:
        contents = read_contents(archive)

    assert [component.purl for component in contents.components] == [
        "pkg:deb/debian/bash@5.2",
        "pkg:deb/debian/libc6@2.36",
        "pkg:pypi/numpy@2.4.6",
    ]
    assert "NumPy 2.4.6: BSD-3-Clause" in licence_table(contents.components)
    assert contents.licences == {"debian/bash.txt": b"GPL-3+", "python/numpy-2.4.6/LICENSE.txt": b"BSD"}


def test_a_bundle_is_complete_and_loads_what_was_packed(engine: Engine, tmp_path: Path) -> None:
    model = package(tmp_path)

    bundle = save_bundle(engine, TAG, tmp_path / "bundle", model=model)
    done = load(bundle.folder)

    names = {path.relative_to(bundle.folder).as_posix() for path in bundle.folder.rglob("*") if path.is_file()}
    assert {
        *bundle.parts,
        "SHA256SUMS",
        "load.sh",
        "load.ps1",
        "compose.yaml",
        "README.en.md",
        "README.de.md",
        "sbom.cdx.json",
        "LICENCES.txt",
        "licences/debian/bash.txt",
        "model/MODEL_CARD.md",
        "model/golden/samples.json",
    } <= names
    assert done.returncode == 0, done.stderr
    assert "is the image that was packed" in done.stdout
    assert (tmp_path / "bin" / "loaded.tar").exists()
    sums = (bundle.folder / "SHA256SUMS").read_text().splitlines()
    assert {line.split("  ", 1)[1] for line in sums} == names - {"SHA256SUMS"}


def test_only_what_the_manifest_names_travels_and_only_unharmed(engine: Engine, tmp_path: Path) -> None:
    model = package(tmp_path / "model")
    (tmp_path / "private").write_text("a secret")
    (model / "linked").symlink_to(tmp_path / "private")
    (model / "golden" / "notes.txt").write_text("of mine")

    made = save_bundle(engine, TAG, tmp_path / "bundle", model=model)

    names = {path.relative_to(made.folder / "model").as_posix() for path in (made.folder / "model").rglob("*")}
    assert {"manifest.json", "golden"} < names
    assert not names & {"linked", "golden/notes.txt"}
    assert load(made.folder).returncode == 0
    next((model / "golden").glob("*.png")).write_bytes(b"changed")
    with pytest.raises(ServiceError, match="was changed or damaged"):
        save_bundle(engine, TAG, tmp_path / "other", model=model)
    assert not (tmp_path / "other").exists()


def test_no_name_of_a_file_becomes_a_line_of_the_checksums_or_a_command(engine: Engine, tmp_path: Path) -> None:
    model = package(tmp_path / "model")
    known = read_samples(model)
    first = known.samples[0]
    hostile = msgspec.structs.replace(first, content_type="x';reboot;'")
    samples = msgspec.structs.replace(known, samples=(hostile, *known.samples[1:]))
    (model / "golden" / "samples.json").write_bytes(msgspec.json.encode(samples))
    write_manifest(model, read_manifest(model))
    made = save_bundle(engine, TAG, tmp_path / "bundle", model=model)
    (line,) = re.findall("^curl -H.*$", (made.folder / "README.en.md").read_text(), re.MULTILINE)
    assert shlex.split(line)[2] == "Content-Type: x';reboot;'"

    (model / "a\n0  b").write_text("x")
    write_manifest(model, read_manifest(model))
    with pytest.raises(ServiceError, match="cannot hold"):
        save_bundle(engine, TAG, tmp_path / "other", model=model)


def test_nothing_is_left_to_fill_in(engine: Engine, tmp_path: Path) -> None:
    bundle = save_bundle(engine, TAG, tmp_path / "bundle", model=package(tmp_path))

    for name in ("load.sh", "load.ps1", "compose.yaml", "README.en.md", "README.de.md"):
        text = (bundle.folder / name).read_text()
        assert not re.search(r"@[A-Z_]+@", text), name
        assert TAG in text or "README" in name
    assert b"\r\n" in (bundle.folder / "load.ps1").read_bytes()
    assert not re.search(r"@[A-Z_]+@", (bundle.folder / "load.ps1").read_text())
    document = json.loads((bundle.folder / "sbom.cdx.json").read_text())
    assert (document["bomFormat"], len(document["components"])) == ("CycloneDX", 3)


def test_a_large_image_is_cut_into_parts_that_belong_together(engine: Engine, tmp_path: Path) -> None:
    saved_image(tmp_path / "image.tar", [BASE, OURS, {"venv/noise": os.urandom(300_000)}])

    bundle = save_bundle(engine, TAG, tmp_path / "bundle", model=package(tmp_path), part_bytes=100_000)

    assert len(bundle.parts) == 4
    assert all((bundle.folder / part).stat().st_size <= 100_000 for part in bundle.parts)
    assert load(bundle.folder).returncode == 0
    assert "in 4 Teilen" in (bundle.folder / "README.de.md").read_text()


def test_without_zstd_the_image_is_packed_with_gzip(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    bundle = save_bundle(engine, TAG, tmp_path / "bundle", model=package(tmp_path))
    monkeypatch.undo()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")

    assert bundle.parts == ["image.tar.gz"]
    assert load(bundle.folder).returncode == 0


def test_a_damaged_file_is_named_and_nothing_loaded(engine: Engine, tmp_path: Path) -> None:
    bundle = save_bundle(engine, TAG, tmp_path / "bundle", model=package(tmp_path))
    with (bundle.folder / "model" / "MODEL_CARD.md").open("a") as card:
        card.write("x")

    damaged = load(bundle.folder)

    assert damaged.returncode != 0
    assert "MODEL_CARD.md" in damaged.stdout + damaged.stderr
    assert not (tmp_path / "bin" / "loaded.tar").exists()


def expect_another(bundle: Bundle, *expected: str) -> "subprocess.CompletedProcess[str]":
    """Load with a script that expects something else."""
    script, sums = bundle.folder / "load.sh", bundle.folder / "SHA256SUMS"
    text = script.read_text()
    for digest in expected:
        text = text.replace(digest, "0" * 64)
    script.write_text(text)
    lines = sums.read_text().splitlines(keepends=True)
    sums.write_text("".join(line for line in lines if not line.endswith("load.sh\n")))
    return load(bundle.folder)


def test_another_image_is_told_and_another_way_to_count_ids_is_none(engine: Engine, tmp_path: Path) -> None:
    bundle = save_bundle(engine, TAG, tmp_path / "bundle", model=package(tmp_path))
    with ImageArchive(tmp_path / "image.tar") as archive:
        first_layer = archive.layer_ids[0].removeprefix("sha256:")

    counted_otherwise = expect_another(bundle, bundle.image_id.removeprefix("sha256:"))
    another = expect_another(bundle, first_layer)

    assert counted_otherwise.returncode == 0
    assert another.returncode == 1
    assert "Do not use it." in another.stderr


def test_a_bundle_does_not_overwrite(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exists already"):
        save_bundle(engine, TAG, tmp_path, model=package(tmp_path))


def test_without_an_engine_it_is_said_what_was_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(
        ServiceError, match="docker is not installed; podman is not installed; buildah is not installed"
    ):
        find_engine()
    with pytest.raises(UsageError, match="'kaniko' is no engine"):
        find_engine("kaniko")


def test_the_first_engine_that_answers_is_taken(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    docker = tmp_path / "bin" / "docker"
    docker.write_text("#!/bin/sh\nexit 1\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    assert find_engine().name == "podman"
    with pytest.raises(ServiceError, match="daemon does not answer"):
        find_engine("docker")
