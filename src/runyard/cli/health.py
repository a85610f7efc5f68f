"""The checks of `runyard doctor`: each looks at one thing and says ok, warn or bad, and what to do."""

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from runyard import __version__, devices, servers
from runyard.cli import formats, target
from runyard.client import Client
from runyard.database.postgresql import described
from runyard.errors import DeviceUnavailable, RunyardError
from runyard.hosts import host_name
from runyard.journal import EDITS, Home, RunFolder
from runyard.journal.home import HOME_VARIABLE
from runyard.journal.reader import Decoder

Progress = Callable[[int, int], None]

_DEPENDENCIES = (
    *("msgspec", "pydantic", "ruamel.yaml", "SQLAlchemy", "numpy", "pcodec", "psutil"),
    *("nvidia-ml-py", "typer", "rich", "copier"),
)
_VARIABLES = (
    *(HOME_VARIABLE, "RUNYARD_LOCK_DIR", "RUNYARD_CPU_SLOTS", "RUNYARD_FOREIGN_MIB", "RUNYARD_SLOTS"),
    *(servers.URL, servers.TOKEN, servers.CA),
    *("RUNYARD_RUN_DIR", "RUNYARD_ATTEMPT", "RUNYARD_CODE", "RUNYARD_SUPERVISOR_PID"),  # set for trainings
    "RUNYARD_WAITING",  # set while the next training imports its code
)
_NETWORK_DISKS = ("nfs", "cifs", "smb", "fuse.sshfs", "9p", "lustre", "afs")
_LITTLE_BYTES = 10e9
_TOO_LITTLE_BYTES = 1e9
_PIECE_BYTES = 16 << 20


class Level(StrEnum):
    """How it stands."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True)
class Finding:
    """One line of the report; `advice` says what to do, if anything."""

    level: Level
    topic: str
    text: str
    advice: str = ""


def surroundings() -> Iterator[Finding]:
    """What does not depend on a home: versions, tools, variables."""
    python = ".".join(str(part) for part in sys.version_info[:3])
    yield Finding(Level.OK, "runyard", f"{__version__} on Python {python} ({sys.executable})")
    yield _dependencies()
    yield _git()
    yield from _variables()


def home(place: Home) -> Iterator[Finding]:
    """The home folder and its disk."""
    free = shutil.disk_usage(place.path).free
    if os.access(place.path, os.W_OK | os.X_OK):
        yield Finding(Level.OK, "home", f"{place.path}")
    else:
        yield Finding(
            Level.BAD, "home", f"{place.path} cannot be written.", f"Set {HOME_VARIABLE} to a folder of yours."
        )
    kind = _disk_kind(place.path)
    if kind.startswith(_NETWORK_DISKS):
        advice = f"Set {HOME_VARIABLE} to a folder on a disk of this machine: locks and databases need one."
        yield Finding(Level.WARN, "disk", f"{place.path} lies on a network disk ({kind}).", advice)
    level = Level.BAD if free < _TOO_LITTLE_BYTES else Level.WARN if free < _LITTLE_BYTES else Level.OK
    advice = "" if level is Level.OK else "`runyard trash empty` frees what was removed."
    yield Finding(level, "disk", f"{formats.size(free)} free", advice)
    left = sorted(path.name for path in place.path.glob("import-*")) + sorted(
        p.name for p in place.runs.glob("draft-*")
    )
    if left:
        text = f"{formats.plural(len(left), 'folder')} of broken-off commands: {', '.join(left[:5])}"
        yield Finding(Level.WARN, "drafts", text, "They may be deleted if nothing is imported or submitted right now.")


def database(place: Home) -> Iterator[Finding]:
    """Which database, and whether it is in order. Asked before anything else opens it."""
    if place.database_url:
        yield Finding(Level.OK, "database", described(place.database_url))
        return
    if not place.database.exists():
        yield Finding(Level.OK, "database", "not there yet; the first command makes it")
        return
    try:
        with closing(sqlite3.connect(f"{place.database.as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            answer = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        answer = str(error)
    if answer == "ok":
        yield Finding(Level.OK, "database", f"SQLite, {formats.size(place.database.stat().st_size)}")
    else:
        advice = "Nothing is lost: `runyard reindex` puts it aside and builds a new one from the run folders."
        yield Finding(Level.BAD, "database", f"damaged: {answer}", advice)


def index(client: Client) -> Iterator[Finding]:
    """Whether the index knows the runs that there are."""
    if client.index.needs_reindex:
        yield Finding(
            Level.WARN, "index", "of another version, or empty", "The next command rebuilds it, or `runyard reindex`."
        )
        return
    folders = _run_ids(client.home.runs) | _run_ids(client.home.trash)
    known = {row.id for row in client.index.find(None, trashed=None, limit=None)}
    lacking, gone = len(folders - known), len(known - folders)
    if lacking or gone:
        text = f"{len(known):,} runs, but {lacking:,} folders are missing in it and {gone:,} of its runs have no folder"
        yield Finding(Level.WARN, "index", text, "`runyard reindex` rebuilds it from the folders.")
    else:
        yield Finding(Level.OK, "index", formats.plural(len(known), "run"))


def journals(client: Client, progress: Progress) -> Iterator[Finding]:
    """Whether every journal can be read to its end."""
    folders = client.home.run_folders()
    damaged = []
    for done, folder in enumerate(folders, start=1):
        damaged += [problem for path, stream in _journals(folder) if (problem := _problem(path, folder.id, stream))]
        progress(done, len(folders))
    for problem in damaged[:10]:
        yield Finding(Level.WARN, "journal", problem, "What stands before that place is safe and shown.")
    if len(damaged) > 10:
        yield Finding(Level.WARN, "journal", f"… and {len(damaged) - 10:,} more")
    if not damaged:
        yield Finding(Level.OK, "journals", f"those of {formats.plural(len(folders), 'run')} can be read")


def supervisors(client: Client) -> Iterator[Finding]:
    """Whether somebody watches every run that is said to run here, and whether workers are there for what waits."""
    running = client.index.find('state == "RUNNING"', limit=None)
    here = [row for row in running if row.host == host_name()]
    alone = [row.id for row in here if not client.folder(row.id).attempt(row.attempt).is_supervised()]
    if alone:
        text = f"{formats.plural(len(alone), 'run')} without a supervisor: {', '.join(alone[:5])}"
        yield Finding(Level.WARN, "running", text, "`runyard runs` tells how they ended and lets them resume.")
    else:
        yield Finding(
            Level.OK, "running", f"{formats.plural(len(running), 'run')}, {len(here)} of them on this machine"
        )
    waiting = client.index.count('state == "QUEUED"')
    workers = [worker for worker in client.queue.workers() if time.time() - worker.seen_at < 120]
    if waiting and not workers:
        advice = "`python run.py work` in a project executes them."
        yield Finding(Level.WARN, "queue", f"{formats.plural(waiting, 'waiting run')}, and no worker is there", advice)
    else:
        yield Finding(
            Level.OK, "queue", f"{formats.plural(waiting, 'waiting run')}, {formats.plural(len(workers), 'worker')}"
        )


def gpus() -> Iterator[Finding]:
    """GPUs, who holds them, and the folder of their locks."""
    found = devices.gpus()
    if not found:
        yield Finding(Level.OK, "gpus", "none; runs use CPU slots")
    else:
        yield Finding(Level.OK, "driver", f"NVIDIA {devices.driver_version()}")
    for gpu in found:
        title = f"gpu {gpu.index}"
        if gpu.problem:
            yield Finding(
                Level.BAD, title, gpu.problem, "It is left out until it answers again; a restart often helps."
            )
            continue
        holder = devices.SlotLock(gpu.uuid).holder()
        others = ", ".join(
            f"{p.user or 'somebody'}: {p.name or p.pid}" for p in devices.gpu_processes(gpu.uuid) if not p.draws
        )
        use = f"held by {holder.sentence()}" if holder else f"used outside Runyard by {others}" if others else "free"
        level = Level.WARN if others and not holder else Level.OK
        yield Finding(level, title, f"{gpu.name}, {formats.size(gpu.memory_bytes)}, {use}")
    yield from _locks({gpu.uuid for gpu in found})


def guarded(check: Callable[[], Iterator[Finding]], topic: str) -> Iterator[Finding]:
    """A check that cannot be made is a finding, too."""
    try:
        yield from check()
    except RunyardError as error:
        yield Finding(Level.BAD, topic, str(error))
    except OSError as error:
        yield Finding(Level.BAD, topic, f"{error.strerror}: {error.filename}", "Look at the rights of that path.")


def _dependencies() -> Finding:
    found, missing = [], []
    for name in _DEPENDENCIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding(Level.BAD, "packages", f"missing: {', '.join(missing)}", "pip install --force-reinstall runyard")
    return Finding(Level.OK, "packages", ", ".join(found))


def _git() -> Finding:
    try:
        answer = subprocess.run(["git", "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return Finding(Level.WARN, "git", "not found", "Install it: runs then know the commit of their code.")
    return Finding(Level.OK, "git", answer.strip().removeprefix("git version "))


def _variables() -> Iterator[Finding]:
    for name in sorted(name for name in os.environ if name.startswith("RUNYARD_")):
        if name == servers.TOKEN:
            yield Finding(Level.OK, "variable", f"{name} is set")
        elif name in _VARIABLES:
            yield Finding(Level.OK, "variable", f"{name}={os.environ[name]}")
        else:
            yield Finding(
                Level.WARN, "variable", f"{name} is none that Runyard knows. {target.guess(name, _VARIABLES)}".strip()
            )


def _disk_kind(path: Path) -> str:
    """The kind of file system, where the system tells (Linux)."""
    try:
        lines = Path("/proc/self/mounts").read_text(errors="replace").splitlines()
    except OSError:
        return ""
    mounts = [line.split() for line in lines]
    above = [(mount[1], mount[2]) for mount in mounts if len(mount) > 2 and path.resolve().is_relative_to(mount[1])]
    return max(above, key=lambda mount: len(mount[0]), default=("", ""))[1]


def _run_ids(folder: Path) -> set[str]:
    return {name for name in os.listdir(folder) if name.isalnum()}


def _journals(folder: RunFolder) -> Iterator[tuple[Path, str]]:
    if folder.edits.exists():
        yield folder.edits, EDITS
    for attempt in folder.attempts():
        for stream in attempt.streams():
            yield attempt.journal(stream), stream


def _problem(path: Path, run_id: str, stream: str) -> str:
    """What is wrong with a journal; a record that is still being written is nothing wrong."""
    decoder = Decoder()
    size = _PIECE_BYTES
    try:
        with path.open("rb") as file:
            while True:
                file.seek(decoder.offset)
                data = file.read(size)
                before = decoder.offset
                decoder.feed(data)
                if decoder.problem:
                    return f"{run_id}: {path.name}: {decoder.problem}"
                if decoder.offset == before:
                    if len(data) < size:
                        break
                    size *= 2
    except RunyardError as error:
        return f"{run_id}: {path.name}: {error}"
    if decoder.header and (decoder.header.run, decoder.header.stream) != (run_id, stream):
        return f"{run_id}: {path.name} belongs to run {decoder.header.run}"
    return ""


def _locks(gpu_names: set[str]) -> Iterator[Finding]:
    try:
        folder = devices.lock_directory()
    except RunyardError as error:
        yield Finding(Level.BAD, "locks", str(error))
        return
    names = sorted(path.stem for path in folder.glob("*.lock") if path.stem not in gpu_names)
    held: list[tuple[str, devices.Holder]] = []
    for name in names:
        try:
            holder = devices.SlotLock(name).holder()
        except ValueError:
            continue  # no slot has such a name
        except DeviceUnavailable as error:
            yield Finding(Level.BAD, name, str(error))
        else:
            held += [(name, holder)] if holder else []
    yield Finding(Level.OK, "locks", f"{folder}, {formats.plural(len(held), 'CPU slot')} held")
    for name, holder in held:
        yield Finding(Level.OK, name, f"held by {holder.sentence()}")
