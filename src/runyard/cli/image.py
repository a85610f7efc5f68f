"""`runyard image`: build, test, save."""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runyard.cli import formats, screen
from runyard.cli.package import Asked, of_run
from runyard.delivery.bundle import PART_BYTES, save_bundle
from runyard.delivery.context import DOCKERFILE, checked_model, checksum, lay_out, needed_by
from runyard.delivery.engines import find_engine
from runyard.delivery.proof import prove
from runyard.errors import UsageError
from runyard.project.project import Project, find_project

_DEFAULT_MODEL = "model"


def build(
    *,
    run: str | None,
    model: Path | None,
    tag: str | None,
    without_model: bool,
    wheels: Path | None,
    base: str | None,
    needs: str | None,
    engine: str | None,
    only_context: Path | None,
    as_json: bool,
) -> None:
    """Lay out the context and let an engine build it."""
    project = find_project()
    if without_model and (run or model):
        raise UsageError("--without-model leaves the model out, so neither RUN nor --model can be named.")
    chosen = None if only_context else find_engine(engine)  # before anything is made
    begun = time.monotonic()
    with _model(project, run, model, is_needed=not without_model) as package, _context(only_context) as context:
        names = lay_out(project.root, context, model=package, wheels=wheels)
        manifest = checked_model(package) if package else None
        name = tag or f"{project.name.lower()}:{manifest.id if manifest else 'latest'}"
        if chosen is None:
            screen.say(
                f"{screen.plain(context)} holds what an image is built from: "
                f"{formats.plural(len(names), 'file')} of the project"
            )
            return
        screen.remark(f"{chosen.name} builds {screen.plain(name)} …")
        arguments = {"WHEELS": checksum(context / "wheels"), **({"BASE": base} if base else {})}
        if needed := needs or (manifest and needed_by((project.root / DOCKERFILE).read_text(), manifest)):
            arguments["NEEDS"] = needed
        if wheels is not None:
            arguments["PIP_NO_INDEX"] = "1"
        labels = {"org.opencontainers.image.title": project.name}
        if manifest:
            labels |= {"runyard.model": manifest.id, "runyard.run": str(manifest.origin.get("run", ""))}
            labels["org.opencontainers.image.revision"] = str(manifest.origin.get("commit", ""))
        chosen.build(
            context,
            project.root / DOCKERFILE,
            name,
            target="delivery" if package else "service",
            arguments=arguments,
            labels={key: value for key, value in labels.items() if value},
        )
    about = {
        "image": name,
        "id": chosen.image_id(name),
        "engine": chosen.name,
        "seconds": round(time.monotonic() - begun, 1),
    }
    _say(
        about,
        f"{screen.plain(name)} is built ({about['seconds']} s). Next: runyard image test {screen.plain(name)}",
        as_json,
    )


def test(*, tag: str, model: Path | None, engine: str | None, as_json: bool) -> bool:
    """Prove an image; whether all is good."""
    chosen = find_engine(engine, must_run=True)
    if model is not None:
        checked_model(model)
    proof = prove(chosen, tag, model=model, tell=_tell)
    if as_json:
        found = [{"what": each.what, "ok": each.is_good, "said": each.said} for each in proof.findings]
        screen.say(
            json.dumps(
                {
                    "image": tag,
                    "ok": proof.is_good,
                    "size_bytes": proof.size_bytes,
                    "cold_start_s": proof.cold_start_s,
                    "findings": found,
                }
            )
        )
        return proof.is_good
    for each in proof.findings:
        verdict = screen.paint("ok  ", "green") if each.is_good else screen.paint("bad ", "red")
        screen.say(f"{verdict} {each.what:<16} {screen.plain(each.said)}")
    screen.say(
        f"{screen.plain(tag)}: {formats.size(proof.size_bytes)} unpacked, "
        f"ready {proof.cold_start_s:.1f} s after the start"
    )
    return proof.is_good


def save(
    *, tag: str, out: Path | None, model: Path | None, part_mb: float | None, engine: str | None, as_json: bool
) -> None:
    """Write the bundle for a site without network."""
    chosen = find_engine(engine)
    package = model or _of_project()
    manifest = checked_model(package)
    place = out or Path(f"{tag.rpartition('/')[2].partition(':')[0]}-{manifest.id}")
    part_bytes = PART_BYTES if part_mb is None else round(part_mb * 1e6)
    bundle = save_bundle(chosen, tag, place, model=package, part_bytes=part_bytes, tell=_tell)
    about = {
        "folder": str(bundle.folder.absolute()),
        "id": bundle.image_id,
        "parts": bundle.parts,
        "size_bytes": bundle.size_bytes,
        "components": bundle.components,
    }
    text = (
        f"{screen.plain(bundle.folder)}: {formats.size(bundle.size_bytes)}, "
        f"the image in {formats.plural(len(bundle.parts), 'part')}, "
        f"{formats.plural(bundle.components, 'component')} listed. On the other side: sh load.sh"
    )
    _say(about, text, as_json)


def _say(about: dict[str, Any], text: str, as_json: bool) -> None:
    screen.say(json.dumps(about) if as_json else text)


def _tell(stage: str) -> None:
    screen.remark(f"{stage} …")


def _of_project() -> Path:
    return find_project().root / _DEFAULT_MODEL


@contextmanager
def _model(project: Project, run: str | None, model: Path | None, *, is_needed: bool) -> Iterator[Path | None]:
    """The model package to put into the image."""
    if not is_needed:
        yield None
    elif run is not None and model is not None:
        raise UsageError("Say which model to deliver: either RUN or --model FOLDER, not both.")
    elif run is not None:
        with tempfile.TemporaryDirectory(prefix="runyard-package-") as scratch:
            yield of_run(Asked(project=project), run, Path(scratch) / "model").folder
    else:
        found = model or project.root / _DEFAULT_MODEL
        if not found.is_dir():
            raise UsageError(
                f"There is no model package {found}. `runyard package RUN --out {_DEFAULT_MODEL}` makes one."
            )
        yield found


@contextmanager
def _context(kept: Path | None) -> Iterator[Path]:
    if kept is None:
        with tempfile.TemporaryDirectory(prefix="runyard-context-") as scratch:
            yield Path(scratch)
        return
    if kept.exists():
        raise UsageError(f"{kept} exists already. Name a folder that is yet to be made.")
    kept.mkdir(parents=True)
    try:
        yield kept
    except BaseException:
        shutil.rmtree(kept)
        raise
