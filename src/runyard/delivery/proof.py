"""`runyard image test`: what must be true of an image before it leaves the house."""

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from runyard.delivery.archive import ImageArchive
from runyard.delivery.engines import Engine
from runyard.errors import ServiceError

READY_WITHIN_S = 180.0
GRACE_S = 30
_PAUSE_S = 0.2
_NEVER_AT = (
    "app/tests",
    "app/runs",
    "app/data",
    "app/notebooks",
    "app/experiments",
    "tests",
    "runs",
    "data",
    "notebooks",
)
_NEVER_NAMED = (".git", ".venv", ".env", ".ssh", ".netrc", "id_rsa")
_OF_OTHERS = ("usr/", "venv/", "lib/", "etc/", "var/", "opt/", "proc/", "sys/")  # packages may bring what they like


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    is_good: bool
    said: str


@dataclass(frozen=True)
class Proof:
    """All that was found, the size of the image and how long it took from start to ready."""

    findings: list[Finding]
    size_bytes: int = 0
    cold_start_s: float = 0.0

    @property
    def is_good(self) -> bool:
        return all(finding.is_good for finding in self.findings)


def prove(engine: Engine, tag: str, *, model: Path | None, tell: Callable[[str], None] = lambda stage: None) -> Proof:
    """Look into the layers of an image, then start it read-only, without network and without rights, and ask it.

    Args:
        model: a model package to mount at /model; None if the image has one inside.

    Raises:
        ServiceError, UsageError: the engine could not do its part.
    """
    findings: list[Finding] = []
    tell("looking into the layers")
    with tempfile.TemporaryDirectory(prefix="runyard-image-") as scratch:
        engine.save(tag, Path(scratch) / "image.tar")
        with ImageArchive(Path(scratch) / "image.tar") as archive:
            findings += _of_config(archive.config)
            layers = list(archive.layers())
    size_bytes = sum(layer.size_bytes for layer in layers)
    wrong = sorted({path for layer in layers for path in layer.paths if not belongs(path)})
    said = (
        f"{len(wrong)} paths do not belong into it: {', '.join(wrong[:5])}"
        if wrong
        else "no tests, runs, data, notebooks, .git"
    )
    findings.append(Finding("layers", not wrong, said))
    tell("starting it: read-only, no network, no rights")
    options = ["--read-only", "--network", "none", "--cap-drop", "all", "--security-opt", "no-new-privileges"]
    if model is not None:
        options += ["--volume", f"{model.absolute()}:/model:ro"]
    begun = time.monotonic()
    container = engine.start(tag, *options)
    try:
        started = list(_of_running(engine, container, begun))
        findings += [finding for finding, _ in started]
        cold_start_s = max((seconds for _, seconds in started), default=0.0)
    finally:
        engine.remove(container)
    return Proof(findings, size_bytes, cold_start_s)


def belongs(path: str) -> bool:
    """Whether a path may be in an image."""
    parts = path.split("/")
    if path.startswith(_OF_OTHERS):
        return True
    if any(path == folder or path.startswith(f"{folder}/") for folder in _NEVER_AT):
        return False
    return not (set(parts) & set(_NEVER_NAMED) or path.endswith(".ipynb"))


def _of_config(config: dict[str, object]) -> Iterator[Finding]:
    inner = config.get("config")
    known: dict[str, object] = inner if isinstance(inner, dict) else {}
    user = str(known.get("User") or "root")
    yield Finding("user", user.partition(":")[0] not in ("", "0", "root"), f"runs as {user}")
    check = known.get("Healthcheck")
    test = check.get("Test") if isinstance(check, dict) else None
    said = json.dumps(test) if test else "none: build it with --format docker"
    yield Finding("health check", isinstance(test, list) and test[:1] == ["CMD"], said)


def _of_running(engine: Engine, container: str, begun: float) -> Iterator[tuple[Finding, float]]:
    """Findings, each with the seconds from the start to ready, or 0."""
    status, said = _wait_until_ready(engine, container)
    seconds = time.monotonic() - begun
    if status:
        output = engine.logs(container).strip().splitlines()[-3:]
        yield Finding("ready", False, " / ".join([said.strip(), *output])), 0.0
        return
    yield Finding("ready", True, f"after {seconds:.1f} s, read-only and without network"), seconds
    status, said = engine.inside(container, "python", "-m", "runyard.serve.probe", "--golden", "/model")
    lines = said.strip().splitlines()
    yield (
        Finding("golden requests", status == 0, f"{len(lines) - 1} answered as they must" if not status else lines[-1]),
        0.0,
    )
    status, said = engine.inside(container, "python", "-c", _TRY_TO_WRITE)
    yield Finding("read-only", status == 0, said.strip() or "nothing can be written"), 0.0
    code = engine.stop(container, grace_s=GRACE_S)
    yield Finding("SIGTERM", code == 0, f"ended with exit code {code}"), 0.0


_TRY_TO_WRITE = """
import os, sys
if os.geteuid() == 0: sys.exit("it runs as root")
for folder in ("/", "/app", "/model", "/venv"):  # /tmp may be in memory
    try: open(os.path.join(folder, "x"), "w").close()
    except OSError: continue
    sys.exit(f"{folder} can be written")
"""


def _wait_until_ready(engine: Engine, container: str) -> tuple[int, str]:
    """Ask until it is ready; the last answer."""
    limit = time.monotonic() + READY_WITHIN_S
    while True:
        status, said = engine.inside(container, "python", "-m", "runyard.serve.probe")
        if status == 0 or time.monotonic() > limit:
            return status, said
        if engine.ask(container, "{{.State.Running}}") != "true":
            raise ServiceError(
                f"The container has ended by itself: {engine.logs(container).strip()[-500:] or 'it said nothing'}"
            )
        time.sleep(_PAUSE_S)
