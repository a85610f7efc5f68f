"""What the owner of this machine wrote down about it, in `machine.toml` of the machine's own home.

[data]                         # where data lie here, see `project/places.py`
"/data" = "/mnt/nas/data"

[checkpoints]                  # those that runs of a server leave here
every_min = 10                 # how often they go to the server while a run is under way
largest_gb = 2                 # larger ones stay here; 0: none are brought
"""

import math
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from runyard.errors import UsageError
from runyard.journal import machine_file

_GB = 1_000_000_000


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of this machine; `file` is where they stand, or would stand."""

    file: Path
    data: dict[str, str] = {}
    checkpoints_every_s: float = 600.0
    checkpoints_largest_bytes: int = 2 * _GB


def read_machine() -> Machine:
    """The settings of this machine; the usual ones if there is no file.

    Raises:
        UsageError: the file cannot be understood.
    """
    file = machine_file()
    try:
        tables = tomllib.loads(file.read_bytes().decode())
    except FileNotFoundError:
        return Machine(file=file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is no valid TOML: {error}") from None
    _require_known(file, "", tables, ("data", "checkpoints"))
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise UsageError(f"{file}: '{name}' is a table; write [{name}] and its lines below it.")
    data, checkpoints = tables.get("data", {}), tables.get("checkpoints", {})
    for begin, place in data.items():
        if not begin or not isinstance(place, str) or not Path(place).expanduser().is_absolute():
            raise UsageError(
                f'{file} says "{begin}" = {place!r}. Write an absolute path, as in "/data" = "/mnt/nas/data".'
            )
    _require_known(file, "checkpoints.", checkpoints, ("every_min", "largest_gb"))
    return Machine(
        file=file,
        data=data,
        checkpoints_every_s=60 * _number(file, checkpoints, "every_min", 10.0, least=0.001),
        checkpoints_largest_bytes=round(_GB * _number(file, checkpoints, "largest_gb", 2.0, least=0.0)),
    )


def _require_known(file: Path, prefix: str, table: dict[str, Any], names: tuple[str, ...]) -> None:
    for key in table:
        if key not in names:
            raise UsageError(f"{file} has no setting '{prefix}{key}'. There are: {', '.join(names)}.")


def _number(file: Path, table: dict[str, Any], key: str, usual: float, *, least: float) -> float:
    value = table.get(key, usual)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < math.inf:
        raise UsageError(f"{file} says {key} = {value!r} under [checkpoints]. Write a number from {least:g} on.")
    return float(value)
