"""Where things lie in a home.

<home>/home.json                       format and id of the home
<home>/machine.toml                    only in the home of this machine: where data lie here, written by its owner
<home>/server.json                     only in the home of a team's server on this machine: its address
<home>/restoring.json                  only while a backup is brought back: nobody else may work in it
<home>/servers/<name>/                 such a home: what this machine executes, on its way to that server
<home>/runyard.db                      the index and the queue; can be rebuilt from all else
<home>/database.url                    instead: where PostgreSQL holds them; may hold a password, so for the owner alone
<home>/artifacts.url                   the files by content are in a bucket: s3://bucket/prefix
<home>/copies/<2 hex>/<sha256>         copies of such files that were used lately
<home>/views.json                      views that people saved on the dashboard
<home>/dashboard.url                   where the dashboard of the home runs, locked by it as long as it does
<home>/reservations.json               slots that people have for themselves
<home>/submitting-<…>.json             ids of runs that are being made right now: not yet runs, for anybody else
<home>/runs/<id>/run.json              what was asked for
<home>/runs/<id>/edits.journal         what people and the queue changed since
<home>/runs/<id>/attempts/<n>/         main.journal  host.journal  rank<k>.journal  files/
<home>/runs/<id>/checkpoints/          what a later attempt resumes from
<home>/runs/<id>/checkpoints/.brought/ those of another machine, by content: what an attempt elsewhere resumes from
<home>/runs/<id>/attempts/<n>/delivered   another machine executes this attempt, and brings its journals
<home>/trash/checkpoints-<id>/         checkpoints that were deleted, until the trash is emptied
<home>/trash/<id>/                     a deleted run, whole
<home>/work/<project>/                 the working folder of runs whose project is not on this machine
<home>/mlflow-<project>.journal        what MLflow's clients keep that belongs to no run: experiments, models
<home>/pulled/<id>/                    a copy of a run of a server, to read
<home>/artifacts/<2 hex>/<sha256>      files by content
<home>/data/<32 hex>                   what data looked like when a run found them; may be deleted
<home>/mirrors/<16 hex>.json           which document of a MongoDB is which run; may be deleted
<home>/environments/<16 hex>/          packages as a run had them, for `runyard reproduce`; may be deleted
<home>/code/<snapshot>/                snapshots of project code, laid out to import from
"""

import fcntl
import os
from pathlib import Path

import msgspec

from runyard.errors import FormatUnknown, NotFound

HOME_FORMAT = 1
HOME_VARIABLE = "RUNYARD_HOME"

EDITS = "edits"
MAIN = "main"
HOST = "host"

_SUBMITTING = "submitting-"
_DELIVERED = "delivered"
_SERVER = "server.json"
_DATABASE_URL = "database.url"
_PRIVATE = 0o700  # runs hold data of customers; whoever wants to share a home opens it with chmod


class Attempt:
    """The folder of one attempt."""

    def __init__(self, run: "RunFolder", number: int) -> None:
        self.run = run
        self.number = number
        self.path = run.path / "attempts" / str(number)

    def journal(self, stream: str) -> Path:
        """The journal of a stream: "main", "host", "rank1", …"""
        return self.path / f"{stream}.journal"

    @property
    def files(self) -> Path:
        """Files that training code logged and that wait for the artifact store."""
        return self.path / "files"

    @property
    def moving(self) -> Path:
        """Logged files on their way: moving/<number>/<name>, so that one of the same name can be logged meanwhile."""
        return self.path / "moving"

    def left_files(self) -> list[tuple[str, Path]]:
        """Names and paths of the files that were logged and are not stored yet; without drafts (a dot in front).

        Those on their way come first, in the order in which they were logged.
        """
        found = [each for folder in _numbered(self.moving) for each in _files_below(folder)]
        return found + _files_below(self.files)

    def remove_empty_folders(self) -> None:
        """Tidy up after logged files; anything that is left is left."""
        for root in (self.moving, self.files):
            for folder, _, _ in os.walk(root, topdown=False):
                try:
                    os.rmdir(folder)
                except OSError:
                    pass  # not empty: somebody's file is worth more than our order

    @property
    def is_delivered(self) -> bool:
        """Whether its journals come from another home, so that locks and processes here say nothing about it."""
        return (self.path / _DELIVERED).exists()

    def mark_delivered(self) -> None:
        """From now on its journals come from another home."""
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / _DELIVERED).touch()

    def streams(self) -> list[str]:
        """Names of the journals that exist, sorted."""
        return sorted(file.stem for file in self.path.glob("*.journal"))

    def is_supervised(self) -> bool:
        """Whether a supervisor on this machine is alive: it holds an exclusive lock on host.journal all its life.

        Asking takes a shared lock for a moment, so that two who ask at once never mistake each other for a supervisor.
        """
        try:
            fd = os.open(self.journal(HOST), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False


class RunFolder:
    """The folder of one run. Nothing is created by looking at it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def spec(self) -> Path:
        return self.path / "run.json"

    @property
    def edits(self) -> Path:
        return self.path / "edits.journal"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def brought(self) -> Path:
        return self.checkpoints / ".brought"

    def attempt(self, number: int) -> Attempt:
        return Attempt(self, number)

    def attempts(self) -> list[Attempt]:
        """All attempts that have a folder, oldest first."""
        try:
            names = os.listdir(self.path / "attempts")
        except FileNotFoundError:
            return []
        return [Attempt(self, int(name)) for name in sorted((n for n in names if n.isdigit()), key=int)]


class Home:
    """A home folder. `Home.open` creates what is missing and refuses a home of a newer format."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def open(cls, path: "str | Path | None" = None) -> "Home":
        """Open the home at `path`, else that of the team's server if there is one, else of RUNYARD_HOME or ~/.runyard.

        Raises:
            FormatUnknown: another version of Runyard wrote it.
            UsageError: the address of the server is none.
        """
        if path is None:
            from runyard import servers  # late: whoever names a home does not need it

            server = servers.current()
            if server is not None:
                return cls.of_server(server.url)
        home = cls(_absolute(path) if path else _base())
        home._check_or_create()
        return home

    @classmethod
    def of_machine(cls) -> "Home":
        """Open the home of this machine, RUNYARD_HOME or ~/.runyard, whatever server commands mean.

        Raises:
            FormatUnknown: another version of Runyard wrote it.
        """
        home = cls(_base())
        home._check_or_create()
        return home

    @classmethod
    def of_server(cls, url: str) -> "Home":
        """Open the home in which this machine keeps what it executes for a server until it has arrived there.

        Raises:
            FormatUnknown: another version of Runyard wrote it.
        """
        base = _base()
        base.parent.mkdir(parents=True, exist_ok=True)
        base.mkdir(mode=_PRIVATE, exist_ok=True)
        home = cls(base / "servers" / _folder_name(url))
        home._check_or_create()
        marker = home.path / _SERVER
        if not marker.exists():
            draft = marker.with_name(f"{_SERVER}.{os.getpid()}")
            draft.write_bytes(msgspec.json.encode({"url": url}) + b"\n")
            os.replace(draft, marker)
        return home

    @property
    def server_url(self) -> str | None:
        """The server whose runs these are; None for a home of its own.

        Raises:
            FormatUnknown: the file that says so is damaged.
        """
        marker = self.path / _SERVER
        try:
            return msgspec.json.decode(marker.read_bytes(), type=dict[str, str])["url"]
        except FileNotFoundError:
            return None
        except (msgspec.MsgspecError, KeyError):
            raise FormatUnknown(f"{marker} cannot be read. Remove it, and run the command again.") from None

    @property
    def id(self) -> str:
        """What tells it from other homes, wherever it is moved."""
        return str(msgspec.json.decode(self.marker.read_bytes())["id"])

    @property
    def restoring(self) -> Path:
        """A file that is there while the home is being restored from a backup."""
        return self.path / "restoring.json"

    @property
    def marker(self) -> Path:
        """The file that makes a folder a home."""
        return self.path / "home.json"

    @property
    def dashboard(self) -> Path:
        return self.path / "dashboard.url"

    @property
    def database(self) -> Path:
        return self.path / "runyard.db"

    @property
    def database_url(self) -> str | None:
        """The PostgreSQL database that the home has instead of an SQLite file; None if it names none."""
        try:
            return (self.path / _DATABASE_URL).read_text().strip() or None
        except FileNotFoundError:
            return None

    def name_database(self, url: str) -> None:
        """Let the home have the PostgreSQL database at `url` from now on; only its owner may read the address."""
        draft = self.path / f".{_DATABASE_URL}-{os.getpid()}"
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(url + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.rename(draft, self.path / _DATABASE_URL)

    @property
    def artifacts(self) -> Path:
        return self.path / "artifacts"

    @property
    def artifacts_url(self) -> str | None:
        """The bucket that holds the files by content; None if they are in the home."""
        try:
            return (self.path / "artifacts.url").read_text().strip() or None
        except FileNotFoundError:
            return None

    @property
    def copies(self) -> Path:
        return self.path / "copies"

    @property
    def code(self) -> Path:
        return self.path / "code"

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def environments(self) -> Path:
        return self.path / "environments"

    @property
    def trash(self) -> Path:
        return self.path / "trash"

    @property
    def runs(self) -> Path:
        return self.path / "runs"

    def work(self, project: str) -> Path:
        """Where runs of a project work that came from another machine, and whose folder is not here."""
        return self.path / "work" / _folder_name(project)

    def ledger(self, project: str) -> Path:
        """Where MLflow's clients keep what belongs to a project, and to none of its runs."""
        return self.path / f"mlflow-{_folder_name(project)}.journal"

    @property
    def pulled(self) -> Path:
        return self.path / "pulled"

    def run(self, run_id: str) -> RunFolder:
        """The folder of a run, whether it exists or not.

        Raises:
            NotFound: the text is no run id; user text never becomes a path.
        """
        if not (run_id.isascii() and run_id.isalnum()):
            raise NotFound(f"'{run_id[:40]}' is no run id. `runyard runs` lists the ids.")
        return RunFolder(self.runs / run_id)

    def run_ids(self) -> list[str]:
        """All runs that are not in the trash, sorted."""
        return sorted(name for name in os.listdir(self.runs) if name.isalnum())

    def run_folders(self) -> list[RunFolder]:
        """The folders of all runs that are not in the trash, sorted by id."""
        return [RunFolder(self.runs / run_id) for run_id in self.run_ids()]

    def submission(self, name: str) -> Path:
        """The file that lists the runs of a submission while it is under way."""
        return self.path / f"{_SUBMITTING}{name}.json"

    def submissions(self) -> list[Path]:
        """The files of all submissions that are under way, or that a killed process left behind."""
        return sorted(self.path.glob(f"{_SUBMITTING}*.json"))

    def submitting(self) -> set[str]:
        """Ids of runs that may have a folder, but are not submitted yet. Ask after listing the folders, not before."""
        ids: set[str] = set()
        for file in self.submissions():
            try:
                ids |= set(msgspec.json.decode(file.read_bytes(), type=list[str]))
            except (FileNotFoundError, msgspec.MsgspecError):  # just done; or never begun, and a crash garbled it
                continue
        return ids

    def _check_or_create(self) -> None:
        marker = self.marker
        if self.restoring.exists():
            raise FormatUnknown(
                f"{self.path} is being restored from a backup, and is not whole yet. "
                "If that was broken off, the same `runyard restore` goes on with it."
            )
        try:
            found = msgspec.json.decode(marker.read_bytes())["format"]
        except FileNotFoundError:
            self._create(marker)
            return
        except (ValueError, KeyError, TypeError):  # msgspec's errors are ValueErrors
            raise FormatUnknown(f"{marker} cannot be read. Is {self.path} a Runyard home?") from None
        if found != HOME_FORMAT:
            raise FormatUnknown(
                f"{self.path} has format {found}; this Runyard knows format {HOME_FORMAT}. "
                f"Install the version that wrote it, or choose another home with {HOME_VARIABLE}."
            )

    def _create(self, marker: Path) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.mkdir(mode=_PRIVATE, exist_ok=True)
        for folder in (self.runs, self.artifacts, self.code, self.trash):
            folder.mkdir(parents=True, exist_ok=True)
        draft = marker.with_name(f"home.json.{os.getpid()}")
        draft.write_bytes(msgspec.json.encode({"format": HOME_FORMAT, "id": os.urandom(8).hex()}) + b"\n")
        try:
            os.link(draft, marker)  # unlike rename, the first of two processes wins, and both see one id
        except FileExistsError:
            pass
        finally:
            draft.unlink()


def machine_file() -> Path:
    """What the owner of this machine wrote down about it; it need not exist."""
    return _base() / "machine.toml"


def _base() -> Path:
    return _absolute(os.environ.get(HOME_VARIABLE) or Path.home() / ".runyard")


def _absolute(path: "str | Path") -> Path:
    return Path(path).expanduser().absolute()


def _folder_name(text: str) -> str:
    """Readable, different for different texts, and never a path."""
    import hashlib  # late: only where there is a server

    name = text.partition("://")[2] or text
    readable = "".join(sign if sign.isascii() and (sign.isalnum() or sign in ".-") else "_" for sign in name)
    return f"{readable[:60].strip('.')}-{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:8]}"


def _numbered(folder: Path) -> list[Path]:
    try:
        names = [name for name in os.listdir(folder) if name.isdigit()]
    except FileNotFoundError:
        return []
    return [folder / name for name in sorted(names, key=int)]


def _files_below(folder: Path) -> list[tuple[str, Path]]:
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not path.is_symlink() and not any(part.startswith(".") for part in name.split("/")):
            found.append((name, path))
    return found
