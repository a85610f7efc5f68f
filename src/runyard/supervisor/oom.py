"""Whether the kernel killed for lack of memory: its own counters, compared before and after.

A process that the kernel kills for memory ends like any other that got SIGKILL. Only these counters
tell the two apart.
"""

from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")


def oom_kills() -> tuple[int, ...]:
    """How often the kernel killed for memory: on the whole machine, and in the control group of this process."""
    return (_count(Path("/proc/vmstat")), *(_count(path) for path in _group_files()))


def have_risen(before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    """Whether any of the counters went up."""
    return any(old < new for old, new in zip(before, after, strict=False))


def _count(path: Path) -> int:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def _group_files() -> list[Path]:
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    files = []
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0":
            files.append(_CGROUPS / path.lstrip("/") / "memory.events")
        elif "memory" in controllers.split(","):
            files.append(_CGROUPS / "memory" / path.lstrip("/") / "memory.oom_control")
    return files
