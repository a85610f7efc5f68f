"""Where data lie on this machine: paths of a config, translated by what its owner wrote down.

Machines mount one share under different paths. `machine.toml` in the machine's own home (~/.runyard) says what is
where:

    [data]
    "@nas" = "/mnt/nas"            # configs say @nas/images: a name that each machine fills in
    "/data" = "/mnt/nas/data"      # configs say /data/images, as on the machine that queued them

What was asked for stays as it is in run.json; the path that is used instead is given to the training, and recorded by
the attempt.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from runyard.client.machine import read_machine
from runyard.config.datapaths import DATA_OPTION, named_paths
from runyard.errors import UsageError

_NAME = "@"


class Found(NamedTuple):
    """The data of a run on this machine.

    Attributes:
        used: config key (or `--data`) -> the path to use instead of the one that was asked for.
        missing: a sentence for each path that is not there.
    """

    used: dict[str, str]
    missing: tuple[str, ...]


class Places:
    """What machine.toml says.

    Args:
        entries: beginning of a path, or @name -> where that is on this machine.
    """

    def __init__(self, entries: Mapping[str, str], *, file: Path) -> None:
        self.entries = dict(entries)
        self.file = file

    @classmethod
    def of_machine(cls) -> "Places":
        """Those of this machine; none if it has no such file.

        Raises:
            UsageError: the file cannot be understood.
        """
        machine = read_machine()
        return cls(machine.data, file=machine.file)

    def translate(self, path: str) -> str:
        """The path on this machine; the longest beginning that is known counts.

        Raises:
            UsageError: it begins with a @name that the file does not have.
        """
        for begin in sorted(self.entries, key=len, reverse=True):
            inside = _inside(path, begin)
            if inside is not None:
                return str(Path(self.entries[begin]).expanduser() / inside)
        if path.startswith(_NAME):
            name = path.partition("/")[0]
            raise UsageError(f'{self.file} does not say where {name} is; write "{name}" = "/path" under [data].')
        return str(Path(path).expanduser()) if path.startswith("~") else path


def find_data(
    places: Places, keys: Sequence[str], config: Mapping[str, Any], data: str | None, *, folders: Sequence[Path]
) -> Found:
    """Look for the data that a config names.

    Args:
        keys: dotted keys of the config that hold paths; one that it lacks, or that holds no text, is not looked for.
        config: a resolved config as nested dicts.
        data: the path that replaces all those of the config, from `--data`.
        folders: where relative paths may start; the first is the one that the training works in.
    """
    used: dict[str, str] = {}
    missing: list[str] = []
    for key, path in named_paths(config, keys, data):
        source = key if key == DATA_OPTION else f"'{key}'"
        try:
            here = places.translate(path)
        except UsageError as problem:
            missing.append(f"{source} names {path}, but {problem}")
            continue
        place = _first_existing(here, folders)
        if place is None:
            where = here if Path(here).is_absolute() else " and ".join(str(folder / here) for folder in folders)
            looked = f" (looked for {where})" if where != path else ""
            missing.append(f"{source} names {path}, which is not there{looked}.")
        elif place != path:
            used[key] = place
    return Found(used, tuple(missing))


def _first_existing(path: str, folders: Sequence[Path]) -> str | None:
    """The path as the training is to use it: as it is if it is found where the training works."""
    for number, folder in enumerate(folders):
        if (folder / path).exists():
            return path if number == 0 else str(folder / path)
    return None


def _inside(path: str, begin: str) -> str | None:
    """What follows a whole beginning of a path; None if it does not begin so."""
    begin = begin.rstrip("/")
    if path == begin:
        return ""
    return path[len(begin) + 1 :].lstrip("/") if path.startswith(f"{begin}/") else None
