"""A project: the folder that holds run.py and runyard.toml.

runyard.toml says what Runyard must know before it imports any code of the project: its name, what
to call, which metrics count. Whatever belongs to a training stands in src/config.py instead.
"""

import difflib
import math
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from runyard.config.datapaths import named_paths
from runyard.errors import ProjectNotFound, UsageError
from runyard.project.importing import import_from, project_modules
from runyard.project.places import Places, find_data

if TYPE_CHECKING:
    from runyard.config import ProjectConfig

SETTINGS_FILE = "runyard.toml"
RUN_FILE = "run.py"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
_ENTRY = re.compile(r"([A-Za-z_]\w*)(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


class Direction(StrEnum):
    """Which way a metric is better."""

    MAX = "max"
    MIN = "min"


@dataclass(frozen=True, kw_only=True)
class Project:
    """What runyard.toml says.

    Attributes:
        root: the folder, absolute.
        entry: what trains, as `module:function`.
        metrics: the metrics to judge runs by, the most important one first.
        data_roots: dotted keys of the config that hold paths of data.
        retries: how often a run that was cut off is resumed.
        grace_s: seconds from the request to stop until the process is killed.
    """

    root: Path
    name: str
    entry: str = "src.train:train"
    metrics: Mapping[str, Direction] = field(default_factory=dict)
    data_roots: tuple[str, ...] = ()
    retries: int = 5
    grace_s: float = 10.0

    @property
    def config_module(self) -> str:
        """The module beside the entry's that holds the config: `src.config` for `src.train:train`."""
        package, _, _ = self.entry.partition(":")[0].rpartition(".")
        return f"{package}.config" if package else "config"

    @property
    def package(self) -> str:
        """The top-level name of the project's code: `src`."""
        return self.entry.partition(":")[0].partition(".")[0]

    def load_config(self) -> "ProjectConfig":
        """Import the config module and read DEFAULT and OVERRIDE; the process is left as if it had not been imported.

        Raises:
            UsageError: it cannot be imported; the message names the file, the line and the reason.
            ConfigError: DEFAULT is missing or no config, or OVERRIDE is no grid.
        """
        from runyard.config import find_config  # late: most commands need no more than runyard.toml

        with project_modules(self.root, package=self.package):
            return find_config(import_from(self.root, self.config_module))

    def check_contract(self, configs: Iterable[Any], data: str | None = None) -> None:
        """Check the data that configs name against the contract of the project, if it has one; all data once.

        Args:
            configs: objects of the project's own config class.
            data: a path that replaces all those of the configs, from `--data`.

        Raises:
            ContractBroken: data are not what is declared.
            UsageError: the contract cannot be imported.
        """
        if not self.has_contract:
            return
        from runyard.project.contract import MODULE, find_contract  # late: it may import much

        with project_modules(self.root, package=self.package), _inside(self.root):
            import_from(self.root, f"{self.package}.{MODULE}")
            contract = find_contract(self.package)
            checked = set()
            for config in configs:
                named = tuple(named_paths(config.model_dump(), self.data_roots, data))
                if contract is not None and named not in checked:
                    checked.add(named)
                    contract.check(config, data)

    @property
    def has_contract(self) -> bool:
        """Whether the project declares what its data look like."""
        return (self.root / self.package / "data_processing" / "contract.py").is_file()

    def import_module(self, name: str) -> ModuleType:
        """Import a module of the project for good: the process belongs to this project from now on.

        Raises:
            UsageError: it cannot be imported; the message names the file, the line and the reason.
        """
        return import_from(self.root, name)

    def check_data(self, config: Mapping[str, Any], data: str | None = None) -> dict[str, str]:
        """Look whether the data that a config names are on this machine; relative paths start at the project's folder.

        Args:
            config: a resolved config as nested dicts. A key that it lacks, or that is None, is not looked for.
            data: a path that replaces all those of the config, from `--data`.

        Returns:
            The paths to use instead of those that the config names, by key; see `places.find_data`.

        Raises:
            UsageError: a path is not there, or machine.toml cannot be understood.
        """
        found = find_data(Places.of_machine(), self.data_roots, config, data, folders=[self.root])
        if found.missing:
            raise UsageError(found.missing[0])
        return found.used


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Work in a folder, as a training does."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def find_root(start: Path | None = None) -> Path:
    """The nearest folder with run.py and runyard.toml, from `start` (else the current one) upwards.

    Raises:
        ProjectNotFound: neither that folder nor any above it is a project.
    """
    start = (start or Path.cwd()).absolute()
    for folder in (start, *start.parents):
        if (folder / RUN_FILE).is_file() and (folder / SETTINGS_FILE).is_file():
            return folder
    raise ProjectNotFound(
        f"{start} lies in no project: neither it nor a folder above has {RUN_FILE} and {SETTINGS_FILE}. "
        "`runyard new NAME` makes one."
    )


def load_project(root: Path) -> Project:
    """Read the runyard.toml of the project at `root`.

    Raises:
        ProjectNotFound: there is none.
        UsageError: it cannot be understood; the message names the line.
    """
    path = root.absolute() / SETTINGS_FILE
    try:
        text = path.read_bytes().decode()
        table = tomllib.loads(text)
    except (FileNotFoundError, NotADirectoryError):
        raise ProjectNotFound(f"{root} is no project: it has no {SETTINGS_FILE}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no valid TOML: {error}") from None
    return _Settings(path, text, table).read()


def find_project(start: Path | None = None) -> Project:
    """The project that `start` (else the current folder) lies in.

    Raises:
        ProjectNotFound: it lies in none.
        UsageError: its runyard.toml cannot be understood.
    """
    return load_project(find_root(start))


def check_name(name: str) -> None:
    """Refuse a name that is no good for folders, addresses and queries.

    Raises:
        UsageError: it has other characters than letters, digits, - and _, or is longer than 64.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"'{name[:80]}' is no name for a project. A name has letters, digits, - and _, begins with a letter "
            "or a digit, and is at most 64 characters long."
        )


class _Settings:
    """Reads one runyard.toml; every complaint names the line."""

    def __init__(self, path: Path, text: str, table: dict[str, Any]) -> None:
        self._path = path
        self._text = text
        self._table = table
        self._readers = {
            "name": self._name,
            "entry": self._entry,
            "metrics": self._metrics,
            "data_roots": self._data_roots,
            "retries": self._retries,
            "grace_s": self._grace,
        }

    def read(self) -> Project:
        for key in self._table:
            if key not in self._readers:
                raise self._problem(key, f"has no setting '{key}'.{self._guess(key)}")
        settings: dict[str, Any] = {"name": self._path.parent.name}
        settings |= {key: self._readers[key](value) for key, value in self._table.items()}
        check_name(settings["name"])
        return Project(root=self._path.parent, **settings)

    def _guess(self, key: str) -> str:
        near = difflib.get_close_matches(key, self._readers, n=1)
        guess = f" Did you mean '{near[0]}'?" if near else ""
        return f"{guess} There are: {', '.join(self._readers)}."

    def _name(self, value: Any) -> str:
        if not isinstance(value, str) or not _NAME.fullmatch(value):
            raise self._problem("name", f"has the name {value!r}. A name has letters, digits, - and _.")
        return value

    def _entry(self, value: Any) -> str:
        if not isinstance(value, str) or not _ENTRY.fullmatch(value):
            raise self._problem("entry", f"has the entry {value!r}. Write module:function, as in src.train:train.")
        return value

    def _metrics(self, value: Any) -> dict[str, Direction]:
        if not isinstance(value, dict):
            raise self._problem("metrics", 'needs a table of metrics: [metrics], then "val/accuracy" = "max".')
        for name, direction in value.items():
            if direction not in list(Direction):
                raise self._problem(name, f"says {direction!r} for the metric '{name}'. Write 'max' or 'min'.")
        return {name: Direction(direction) for name, direction in value.items()}

    def _data_roots(self, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list) or not all(isinstance(key, str) for key in value):
            raise self._problem("data_roots", 'needs a list of config keys, as in data_roots = ["data.root"].')
        return tuple(value)

    def _retries(self, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self._problem("retries", f"has retries = {value!r}. Write a whole number, 0 or more.")
        return value

    def _grace(self, value: Any) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or value < 0:
            raise self._problem("grace_s", f"has grace_s = {value!r}. Write seconds, 0 or more.")
        return float(value)

    def _problem(self, key: str, what: str) -> UsageError:
        return UsageError(f"{self._path}:{self._line_of(key)} {what}")

    def _line_of(self, key: str) -> int:
        """The line that sets `key`; tomllib does not tell, so it is looked for in the text."""
        pattern = re.compile(rf"""\s*\[?\s*["']?{re.escape(key)}["']?\s*[\].=]""")
        return next((n for n, line in enumerate(self._text.splitlines(), 1) if pattern.match(line)), 1)
