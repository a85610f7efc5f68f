"""What a container engine needs where there is neither a daemon nor a registry: a storage and a base image.

The base image is a small Debian with the Python that runs the tests, under the name that a Dockerfile asks for. All of
it lies in one folder, which is kept, since it takes minutes to make.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

BASE = "docker.io/library/python:3.12-slim"  # whatever Python is inside: the steps of the Dockerfile are what is tested
PACKAGES = ("numpy>=1.26,<3", "scikit-learn>=1.5,<2", "skops>=0.11,<1", "pillow>=10.3")


class EngineRoom:
    """A folder with everything; `environment` makes engines use it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wheels = folder / "wheels"
        self.environment = self._storage("storage")

    def prepare(self) -> None:
        """Make what is missing: a minute or two the first time."""
        if self.call("buildah", "inspect", "--type", "image", BASE, may_fail=True).returncode:
            root = self.folder / "rootfs"
            if not root.exists():
                self._debian(root)
            self._commit(root)
        if not list(self.wheels.glob("*.whl")):
            from runyard.serve.needs import NEEDS

            self.wheels.mkdir(exist_ok=True)
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary", ":all:", "--dest"]
            self.call(*pip, str(self.wheels), *NEEDS, *PACKAGES)

    def another_storage(self) -> dict[str, str]:
        """The environment of a machine that has no images yet."""
        shutil.rmtree(self.folder / "elsewhere", ignore_errors=True)
        return self._storage("elsewhere")

    def call(self, *words: str, may_fail: bool = False) -> "subprocess.CompletedProcess[str]":
        """Execute a command with this storage."""
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, check=False)
        assert may_fail or done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done

    def _storage(self, name: str) -> dict[str, str]:
        place = self.folder / name
        place.mkdir(parents=True, exist_ok=True)
        (place / "storage.conf").write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{place}/root"\nrunroot = "{place}/run"\n'
        )
        # as root in a container of one's own: no systemd, low limits, the host's network
        (place / "containers.conf").write_text(
            '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\nnetns = "host"\n'
            '[engine]\ncgroup_manager = "cgroupfs"\nruntime = "runc"\nevents_logger = "file"\n'
        )
        return {
            **os.environ,
            "CONTAINERS_STORAGE_CONF": str(place / "storage.conf"),
            "CONTAINERS_CONF": str(place / "containers.conf"),
            "STORAGE_DRIVER": "overlay",
            "BUILDAH_ISOLATION": "chroot",
        }

    def _debian(self, root: Path) -> None:
        sources = Path("/etc/apt/sources.list.d/debian.sources")
        mirror = re.search(r"^URIs: (\S+)", sources.read_text(), re.MULTILINE) if sources.exists() else None
        draft = root.with_name("rootfs.draft")
        shutil.rmtree(draft, ignore_errors=True)
        self.call(
            *["debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", str(draft)],
            mirror[1] if mirror else "http://deb.debian.org/debian",
        )
        prefix, local = Path(sys.base_prefix), draft / "usr" / "local"
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        shutil.copytree(
            prefix / "lib" / version,
            local / "lib" / version,
            symlinks=True,
            ignore=lambda folder, names: {
                name for name in names if name in ("test", "__pycache__") or self._is_of_others(folder, name)
            },
        )
        for library in (prefix / "lib").glob("libpython*"):
            shutil.copy2(library, local / "lib", follow_symlinks=False)
        shutil.copy2(prefix / "bin" / version, local / "bin" / version)
        for link in ("python", "python3"):
            (local / "bin" / link).symlink_to(version)
        self._add_libraries(draft, [local / "bin" / version, *(local / "lib" / version / "lib-dynload").glob("*.so")])
        for leftover in ("var/cache/apt", "var/lib/apt/lists"):
            shutil.rmtree(draft / leftover, ignore_errors=True)
        self.call("chroot", str(draft), "ldconfig")
        draft.rename(root)

    def _is_of_others(self, folder: str, name: str) -> bool:
        return folder.endswith("site-packages") and not name.startswith(("pip", "setuptools"))

    def _add_libraries(self, root: Path, programs: list[Path]) -> None:
        """What they are linked with, and the Debian lacks."""
        for program in programs:
            listed = self.call("ldd", str(program), may_fail=True).stdout
            for library in re.findall(r"=> (/\S+)", listed):
                target = root / library.lstrip("/")
                if not target.exists():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(library, target)

    def _commit(self, root: Path) -> None:
        container = self.call("buildah", "from", "scratch").stdout.strip()
        mounted = self.call("buildah", "mount", container).stdout.strip()
        self.call("cp", "--archive", f"{root}/.", mounted)
        self.call("buildah", "umount", container)
        path = "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        self.call("buildah", "config", "--env", path, "--cmd", "python3", container)
        self.call("buildah", "commit", "--quiet", "--rm", container, BASE)
