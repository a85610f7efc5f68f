"""What an attempt ran in: Python, machine, packages, variables. Values that may be secret are masked."""

import os
import platform
import re
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from runyard.journal.events import Environment

MASK = "***"
MAX_VALUE_CHARS = 2_000

_SECRET_NAME = re.compile(
    r"token|key|secret|passw|passphrase|pwd|credential|auth|cookie|dsn|signature|private|salt|webhook|connection_?string"
    r"|(^|_)(pass|pat|pw|sas|jwt)(_|$)",
    re.IGNORECASE,
)
_HARMLESS_NAME = re.compile(r"^(PWD|OLDPWD|SSH_AUTH_SOCK)$")
_URL_WITH_PASSWORD = re.compile(r"([a-z][a-z0-9+.-]*://)[^/\s@]*@", re.IGNORECASE)
_SECRET_VALUE = re.compile(
    r"\b(gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{15,}|sk-[\w-]{20,}|xox[abprs]-[\w-]{10,}|hf_\w{20,}"
    r"|AKIA[0-9A-Z]{16}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]+)|-----BEGIN [A-Z ]*PRIVATE KEY"
)


def describe_environment(
    variables: Mapping[str, str], *, gpus: tuple[str, ...] = (), driver: str = "", interpreter: str = ""
) -> Environment:
    """All of it as one event. Takes some hundred milliseconds where many packages are installed.

    `interpreter` is that of a virtual environment, if the training has another one than this process.
    """
    version, installed = _of_venv(Path(interpreter)) if interpreter else (platform.python_version(), packages())
    return Environment(
        time_ns=time.time_ns(),
        python=f"{version} {interpreter or sys.executable}",
        platform=platform.platform(),
        cpu=_cpu(),
        cpu_count=os.cpu_count() or 0,
        memory_bytes=_memory_bytes(),
        gpus=gpus,
        driver=driver,
        packages=installed,
        variables=mask(variables),
    )


def packages(folders: Sequence[str] | None = None) -> dict[str, str]:
    """Versions of all installed distributions, sorted by name: of this process, or of folders such as site-packages."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions() if folders is None else metadata.distributions(path=list(folders)):
        try:
            name, version = distribution.metadata["Name"], distribution.version
        except (OSError, KeyError, TypeError, ValueError):
            continue  # a half-removed package is no reason to know nothing of the others
        if name and name not in found:  # the first on sys.path is the one that is imported
            found[name] = version or ""
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def _of_venv(interpreter: Path) -> tuple[str, dict[str, str]]:
    """The version of Python and the packages of a virtual environment."""
    root = interpreter.parent.parent
    settings = dict(line.split(" = ", 1) for line in (root / "pyvenv.cfg").read_text().splitlines() if " = " in line)
    version = settings.get("version") or settings.get("version_info", "")
    return version, packages([str(folder) for folder in root.glob("lib/python*/site-packages")])


def mask(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables, sorted, with everything that may be a secret replaced by asterisks."""
    return {name: _masked(name, value) for name, value in sorted(variables.items())}


def _masked(name: str, value: str) -> str:
    if not value:
        return value
    if _SECRET_NAME.search(name) and not _HARMLESS_NAME.match(name):
        return MASK
    if _SECRET_VALUE.search(value):
        return MASK
    # surrogates stand for bytes that are no UTF-8, which a journal could not hold
    readable = value[:MAX_VALUE_CHARS].encode("utf-8", "replace").decode()
    return _URL_WITH_PASSWORD.sub(rf"\1{MASK}@", readable)


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return 0
