"""`runyard package`: the model of a run as a folder that proves itself."""

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import runyard
from runyard.cli import formats, screen, target
from runyard.client import Client
from runyard.client.runs import TrackedRun, data_seen
from runyard.delivery import PackageOrder, Packed, make_package
from runyard.errors import UsageError
from runyard.git import read_state
from runyard.index import RunRow
from runyard.journal.events import ArtifactStored
from runyard.project.models import best_run, fetch_model
from runyard.project.project import Project, find_project
from runyard.tracking.models import MANIFEST, read_manifest

KIND = "package"


def package(
    *,
    run: str | None,
    model: Path | None,
    out: Path,
    samples: Path | None,
    count: int,
    threshold: float | None,
    onnx: bool,
    as_json: bool,
) -> None:
    """Make a package of a run, or of a model folder."""
    project = find_project()
    if (run is None) == (model is None):
        raise UsageError("Say which model to pack: either RUN (an id, a name, 'last' or 'best') or --model FOLDER.")
    asked = Asked(project=project, samples=samples, count=count, threshold=threshold, onnx=onnx)
    packed = of_folder(asked, model, out) if model is not None else of_run(asked, str(run), out)
    if as_json:
        screen.say(json.dumps(about(packed)))
        return
    size = sum(file.stat().st_size for file in packed.folder.rglob("*") if file.is_file())
    screen.say(
        f"{screen.plain(packed.folder)}: model {packed.manifest.id} ({packed.manifest.framework}), "
        f"{formats.plural(len(packed.samples.samples), 'golden sample')}, {formats.size(size)}"
    )
    if parity := packed.manifest.parity:
        screen.say(f"ONNX and the original are at most {parity['largest_difference']:.2g} apart on them.")
    screen.remark(f"Next: runyard image build --model {screen.plain(packed.folder)}")


class Asked:
    """What a package is made with, whatever it is made of."""

    def __init__(
        self,
        *,
        project: Project,
        samples: Path | None = None,
        count: int = 8,
        threshold: float | None = None,
        onnx: bool = False,
    ) -> None:
        self.project = project
        self.samples = samples or project.root / "tests" / "data"
        self.count = count
        self.threshold = threshold
        self.onnx = onnx

    def order(self, model: Path, origin: dict[str, Any], metrics: dict[str, dict[str, float | None]]) -> PackageOrder:
        """The order for a model folder."""
        return PackageOrder(
            model=model.absolute(),
            inference=self.project.import_module("src.inference"),
            samples=self.samples.absolute(),
            most_samples=self.count,
            origin=origin,
            metrics=metrics,
            threshold=self.threshold,
            is_onnx=self.onnx,
        )


def of_folder(asked: Asked, model: Path, out: Path) -> Packed:
    """Pack a model folder that no run of this home tells anything about."""
    known = read_manifest(model)
    kept: dict[str, Any] = {name: str(known.meta[name]) for name in ("run", "attempt") if name in known.meta}
    return make_package(asked.order(model, kept | known.origin | _code(asked.project), known.metrics), out, _tell)


def of_run(asked: Asked, run: str, out: Path) -> Packed:
    """Pack the model of a run, and keep the package with the run."""
    with _model_of(asked.project, run) as (client, row, model):
        metrics = {
            key: {"last": found.last, "min": found.min, "max": found.max}
            for key, found in row.summary.items()
            if not key.startswith("sys/")
        }
        packed = make_package(asked.order(model, _origin(asked.project, client, row), metrics), out, _tell)
        _keep(client, row.id, packed)
    return packed


def about(packed: Packed) -> dict[str, Any]:
    """A package for scripts."""
    manifest = packed.manifest
    return {
        "folder": str(packed.folder.absolute()),
        "model": manifest.id,
        "framework": manifest.framework,
        "samples": len(packed.samples.samples),
        "origin": manifest.origin,
        "parity": manifest.parity,
    }


@contextmanager
def _model_of(project: Project, run: str) -> Iterator[tuple[Client, RunRow, Path]]:
    with target.opened() as client, tempfile.TemporaryDirectory(prefix="runyard-model-") as scratch:
        row = client.index.get(best_run(client, project, None)) if run == "best" else target.find_run(client, run)
        if row.project != project.name:
            raise UsageError(f"Run {row.id} is of the project '{row.project}', and this folder is '{project.name}'.")
        place = Path(scratch) / "model"
        fetch_model(client, row.id, place, kinds=("model",))
        yield client, row, place


def _origin(project: Project, client: Client, row: RunRow) -> dict[str, Any]:
    found = {
        **_code(project),
        "run": row.id,
        "name": row.name,
        "attempt": row.attempt,
        "config": row.config_id,
        "settings": row.config,
        "data": row.data or "",
        "data seen": _data_seen(client, row),
        "trained with code": row.code.code_id or "",
        "trained at commit": row.code.commit or "",
        "trained by": row.user,
        "ended": row.ended_at.isoformat(timespec="seconds") if row.ended_at else "",
    }
    return {name: value for name, value in found.items() if value not in ("", None, {})}


def _data_seen(client: Client, row: RunRow) -> dict[str, str]:
    """Fingerprint and size of what the latest attempt found at each path of data."""
    return {
        source.key: f"{source.version} ({formats.plural(source.files, 'file')}, {formats.size(source.size_bytes)})"
        for source in data_seen(TrackedRun(client, row).attempts)
    }


def _code(project: Project) -> dict[str, Any]:
    """The code that the container will run, which is that of now."""
    git = read_state(project.root)
    found: dict[str, Any] = {"project": project.name, "runyard": runyard.__version__}
    if git is not None and git.commit:
        found["commit"] = git.commit + (" with changes" if git.is_dirty else "")
    if template := _template_version(project.root):
        found["template"] = template
    return found


def _template_version(root: Path) -> str:
    """What `.copier-answers.yml` says; read without a YAML parser, since it is one line."""
    try:
        lines = (root / ".copier-answers.yml").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    found = [line.partition(":")[2] for line in lines if line.startswith(("template_version:", "_commit:"))]
    return found[0].strip().strip("'\"") if found else ""


def _keep(client: Client, run_id: str, packed: Packed) -> None:
    for name in sorted([*packed.manifest.files, MANIFEST]):
        file = packed.folder / name
        stored = ArtifactStored(
            time_ns=time.time_ns(),
            name=f"{KIND}/{name}",
            sha256=client.artifacts.put_file(file),
            size_bytes=file.stat().st_size,
            kind=KIND,
            meta={"model": packed.manifest.id, "framework": packed.manifest.framework},
        )
        client.edit(run_id, stored, durable=False)


def _tell(stage: str) -> None:
    screen.remark(f"{stage} …")
