"""A machine with GPUs that are not there: builds the library beside this file and tells it what to see."""

import ctypes
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_name("libnvidia_ml.c")
GPU_MIB = 24_576


@dataclass
class FakeMachine:
    """GPUs of a machine; every change is seen at once by all processes that were started with `env`."""

    folder: Path
    lines: list[str] = field(default_factory=list)

    @property
    def state(self) -> Path:
        """The file that describes the machine."""
        return self.folder / "gpus.txt"

    @property
    def env(self) -> dict[str, str]:
        """What a new process needs to see these GPUs."""
        return {"LD_LIBRARY_PATH": str(self.folder), "FAKE_NVML": str(self.state)}

    def has(self, *lines: str) -> None:
        """Describe the machine anew, in the words of libnvidia_ml.c."""
        self.lines = list(lines)
        draft = self.state.with_suffix(".draft")
        draft.write_text("\n".join(lines) + "\n")
        draft.replace(self.state)  # a reader sees the old machine or the new one

    def has_gpus(self, count: int) -> None:
        """A machine with `count` equal, idle GPUs."""
        self.has(*(f"gpu {index} {GPU_MIB} 0 0 Fake RTX {index}" for index in range(count)))

    def also(self, *lines: str) -> None:
        """Add to what the machine has."""
        self.has(*self.lines, *lines)

    @staticmethod
    def uuid(index: int) -> str:
        """The UUID of a GPU."""
        return f"GPU-00000000-0000-0000-0000-{index:012d}"


def build_library(folder: Path) -> Path:
    """Compile the library into `folder`; skips the test where there is no compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler: the stand-in for libnvidia-ml cannot be built")
    library = folder / "libnvidia-ml.so.1"
    options = ["-shared", "-fPIC", "-O1", "-Wl,-soname,libnvidia-ml.so.1"]
    subprocess.run([compiler, *options, "-o", str(library), str(SOURCE)], check=True)
    return library


def fake_machine(folder: Path, monkeypatch: pytest.MonkeyPatch, *, gpus: int) -> FakeMachine:
    """A machine with `gpus` idle GPUs, seen by this process and by those it starts."""
    library = build_library(folder)
    machine = FakeMachine(folder)
    machine.has_gpus(gpus)
    ctypes.CDLL(str(library))  # the loader then finds it by name in this process, as LD_LIBRARY_PATH comes too late
    for name, value in machine.env.items():
        monkeypatch.setenv(name, value)
    return machine
