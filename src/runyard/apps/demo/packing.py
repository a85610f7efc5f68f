"""Packing a demo: code, answers, pictures and models of a run in one folder.

demo.json            what is shown
app/                 the project's code as the run saw it, its page as it is now
runs/<id>/           facts.json, predictions.npz (with thumbnails), model/
requirements.txt     what has to be installed; wheels/ holds it, if that was wished
start.sh, README.txt
SHA256SUMS
"""

import hashlib
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from runyard import __version__
from runyard.apps import facts as facts_file
from runyard.apps.demo.layout import APP_FOLDER, REQUIREMENTS, SCRIPT, SUMS, WHEELS
from runyard.apps.demo.redacting import Redaction
from runyard.apps.facts import Subject, facts_of, write_facts
from runyard.apps.show.sources import MODEL_FOLDER, PACK_FILE, RUNS_FOLDER
from runyard.client import Client
from runyard.client.runs import TrackedRun
from runyard.errors import FormatUnknown, NotFound, ServiceError, UsageError
from runyard.project import snapshot
from runyard.project.models import fetch_model
from runyard.project.project import Project
from runyard.tracking.predictions import FILE as PREDICTIONS_FILE
from runyard.tracking.predictions import write_predictions

FORMAT = 1
_OF_THE_PAGE = ("src/visualization", "tests/data")  # as they are now: they are worked on until the meeting

_OWN_REQUIREMENT = re.compile(r"runyard(?![\w.-])", re.IGNORECASE)

_START = """\
#!/bin/sh
# Opens this demo in the browser. Nothing is downloaded: what it needs is in wheels/, or is installed already.
set -eu
cd "$(dirname "$0")"
if [ -d wheels ] && [ ! -x venv/bin/python ]; then
    echo "Installing from wheels/, once …"
    python3 -m venv venv
    venv/bin/python -m pip install --quiet --no-index --find-links wheels -r requirements.txt
fi
python=python3
if [ -x venv/bin/python ]; then python=venv/bin/python; fi
exec "$python" -m runyard demo open . "$@"
"""

_README = """\
{title}

English
  ./start.sh opens the demo in the browser of this computer (Linux, macOS). It needs Python {python} and no network.
  What you mark as a wrong label is kept in labels-in-doubt.csv in this folder.
  sha256sum -c SHA256SUMS tells whether all files arrived as they were sent.

Deutsch
  ./start.sh öffnet die Demo im Browser dieses Rechners (Linux, macOS). Sie braucht Python {python} und kein Netz.
  Was Sie als falsch beschriftet markieren, steht danach in labels-in-doubt.csv in diesem Ordner.
  sha256sum -c SHA256SUMS zeigt, ob alle Dateien so angekommen sind, wie sie abgeschickt wurden.
"""


class Pack(msgspec.Struct, frozen=True, kw_only=True):
    """The content of demo.json. `second` is empty if nothing is compared, `language` if the page decides."""

    format: int = FORMAT
    project: str
    run: str
    second: str = ""
    language: str = ""
    runyard: str = __version__
    python: str = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True, kw_only=True)
class Packed:
    """What was packed; `remarks` are whole sentences about what is missing in it."""

    folder: Path
    pack: Pack
    files: int
    size_bytes: int
    remarks: tuple[str, ...]


def pack(
    client: Client,
    project: Project,
    run_ids: Sequence[str],
    folder: Path,
    *,
    language: str = "",
    with_wheels: bool = False,
    is_redacted: bool = False,
    tell: Callable[[str], object] = lambda text: None,
) -> Packed:
    """Pack the first run, compared with the second if there is one, into a new or empty folder.

    Args:
        is_redacted: without paths and names of users and machines, as `apps.redaction` has it; of the code only what a
            page is made of. Code is never changed: the remarks say where it names such things.
        tell: called with a few words before each step that takes a while.

    Raises:
        UsageError: the folder is not empty, or the project has no page.
        NotFound: the first run has kept no predictions, or its code is not here.
        ServiceError: pip could not collect the wheels.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty. Choose another folder with --out.")
    if not (project.root / SCRIPT).is_file():
        raise UsageError(f"{project.root} has no {SCRIPT}, which is the page that a demo shows.")
    runs = [TrackedRun(client, client.index.get(run_id)) for run_id in run_ids]
    predictions = runs[0].predictions()
    folder.mkdir(parents=True, exist_ok=True)
    tell("code")
    _lay_out_code(client, project, runs[0], folder / APP_FOLDER)
    subjects = [_subject(run, project) for run in runs]
    redaction = Redaction.of(subjects) if is_redacted else None
    remarks = []
    for run, subject in zip(runs, redaction.subjects if redaction else subjects, strict=True):
        tell(f"run {run.id}")
        remarks += _lay_out_run(client, run, subject, folder / RUNS_FOLDER / run.id)
    about = Pack(project=project.name, run=runs[0].id, second=runs[1].id if len(runs) > 1 else "", language=language)
    _write_texts(project, about, folder)
    if with_wheels:
        tell("wheels")
        collect_wheels(folder)
    if redaction:
        remarks += redaction.of_folder(folder)
    tell("checksums")
    files, size_bytes = _write_sums(folder)
    if not (predictions.thumbnails or predictions.features or predictions.has_values):  # rows and numbers have none
        remarks.append(f"Run {runs[0].id} has kept no pictures: give images= to run.log_predictions.")
    return Packed(folder=folder, pack=about, files=files, size_bytes=size_bytes, remarks=tuple(remarks))


def read_pack(folder: Path) -> Pack:
    """What a packed folder shows.

    Raises:
        NotFound: it is no such folder.
        FormatUnknown: another version of Runyard packed it.
    """
    try:
        found = msgspec.json.decode((folder / PACK_FILE).read_bytes(), type=Pack)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(
            f"{folder} is no packed demo: it has no {PACK_FILE}. `runyard demo pack RUN` makes one."
        ) from None
    except msgspec.DecodeError as problem:
        raise FormatUnknown(f"{folder / PACK_FILE} cannot be read: {problem}.") from None
    if found.format != FORMAT:
        raise FormatUnknown(f"{folder} has format {found.format}; this Runyard knows {FORMAT}. Install a newer one.")
    return found


def collect_wheels(folder: Path) -> None:
    """Put all packages of requirements.txt into wheels/, Runyard as it is installed here.

    Raises:
        ServiceError: pip failed; what it said is in the message.
    """
    wheels = folder / WHEELS
    wheels.mkdir(exist_ok=True)
    source = _source_folder()
    if source is not None:
        _pip("wheel", "--no-deps", "--wheel-dir", str(wheels), str(source))
    _pip("wheel", "--wheel-dir", str(wheels), "--find-links", str(wheels), "-r", str(folder / REQUIREMENTS))


def _lay_out_code(client: Client, project: Project, run: TrackedRun, target: Path) -> None:
    """The code that fits the model, and the page as it is now."""
    taken = run.code.snapshot or snapshot.take(project.root, client.artifacts).id
    shutil.copytree(snapshot.materialise(taken, client.artifacts, client.home), target, ignore=_no_leftovers)
    for name in _OF_THE_PAGE:
        if (project.root / name).is_dir():
            shutil.rmtree(target / name, ignore_errors=True)
            shutil.copytree(project.root / name, target / name, ignore=_no_leftovers)


def _subject(run: TrackedRun, project: Project) -> Subject:
    try:
        predictions = run.predictions()
    except NotFound:
        predictions = None
    return Subject(facts=facts_of(run, project.metrics), predictions=predictions)


def _lay_out_run(client: Client, run: TrackedRun, subject: Subject, target: Path) -> list[str]:
    target.mkdir(parents=True)
    remarks = []
    write_facts(subject.facts, target / facts_file.FILE)
    if subject.predictions is not None:
        write_predictions(subject.predictions, target / PREDICTIONS_FILE)
    else:
        remarks.append(f"Run {run.id} has kept no predictions (run.log_predictions), so it cannot be compared.")
    try:
        fetch_model(client, run.id, target / MODEL_FOLDER)
    except NotFound as problem:
        remarks.append(f"{problem} Nothing new can be tried in the demo.")
    return remarks


def _write_texts(project: Project, about: Pack, folder: Path) -> None:
    (folder / PACK_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(about), indent=2) + b"\n")
    start = folder / "start.sh"
    start.write_text(_START, encoding="utf-8")
    start.chmod(0o755)
    readme = _README.format(title=project.name, python=about.python)
    (folder / "README.txt").write_text(readme, encoding="utf-8")
    own = project.root / REQUIREMENTS
    lines = own.read_text(encoding="utf-8").splitlines() if own.is_file() else []
    others = [line for line in lines if not _OWN_REQUIREMENT.match(line.strip())]
    text = "\n".join([f"runyard[streamlit]=={__version__}", *others]) + "\n"
    (folder / REQUIREMENTS).write_text(text, encoding="utf-8")


def _write_sums(folder: Path) -> tuple[int, int]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = []
    for path in files:
        with path.open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.relative_to(folder).as_posix()}\n")
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")
    return len(files) + 1, sum(path.stat().st_size for path in files)


def _source_folder() -> Path | None:
    """The folder that this Runyard was installed from, if it came from one and not from an index."""
    text = importlib.metadata.distribution("runyard").read_text("direct_url.json")
    url = json.loads(text).get("url", "") if text else ""
    return Path(unquote(urlsplit(url).path)) if url.startswith("file://") else None


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-1500:]
        raise ServiceError(f"pip could not collect the wheels (exit code {done.returncode}):\n{said}")


def _no_leftovers(_folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name == "__pycache__" or name.startswith((".git", ".pytest", ".ruff", ".mypy"))}
