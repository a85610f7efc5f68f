"""Docker, Podman or Buildah: whichever is there. They are asked through their command lines, one word at a time."""

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runyard.errors import ServiceError, UsageError

NAMES = ("docker", "podman", "buildah")
_SLOW_S = 3600.0
_QUICK_S = 120.0


@dataclass(frozen=True)
class Engine:
    """One of them. Buildah builds and saves, but does not run services."""

    name: str

    @property
    def can_run(self) -> bool:
        """Whether it runs containers in the background."""
        return self.name != "buildah"

    def build(
        self,
        context: Path,
        dockerfile: Path,
        tag: str,
        *,
        target: str,
        arguments: Mapping[str, str],
        labels: Mapping[str, str],
    ) -> None:
        """Build an image; what the engine says goes to stderr as it comes.

        Raises:
            ServiceError: it failed.
        """
        command = ["build", "--file", str(dockerfile), "--tag", tag, "--target", target]
        if self.name != "docker":
            command += ["--format", "docker", "--layers"]  # the format of OCI has no HEALTHCHECK
        command += [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
        command += [word for name, value in labels.items() for word in ("--label", f"{name}={value}")]
        done = subprocess.run([self.name, *command, str(context)], stdout=sys.stderr, check=False, timeout=_SLOW_S)
        if done.returncode:
            raise ServiceError(f"{self.name} could not build {tag}; its last lines above say why.")

    def image_id(self, tag: str) -> str:
        """The id of an image, `sha256:` and 64 hex digits.

        Raises:
            UsageError: there is no such image.
        """
        words = [
            "inspect",
            "--type",
            "image",
            "--format",
            "{{.FromImageID}}" if self.name == "buildah" else "{{.Id}}",
            tag,
        ]
        done = self._call(words)
        if done.returncode:
            raise UsageError(f"{self.name} has no image {tag}. `runyard image build` makes it.")
        return f"sha256:{done.stdout.strip().removeprefix('sha256:')}"

    def save(self, tag: str, path: Path) -> None:
        """Write an image with its layers as a tar that `docker load` and `podman load` read.

        Raises:
            ServiceError: it failed.
        """
        if self.name == "docker":
            words = ["save", "--output", str(path), tag]
        elif self.name == "podman":
            words = ["save", "--quiet", "--format", "docker-archive", "--output", str(path), tag]
        else:
            words = ["push", "--quiet", tag, f"docker-archive:{path}:{tag}"]
        self._checked(words, f"save {tag}", timeout_s=_SLOW_S)

    def start(self, tag: str, *options: str) -> str:
        """Run an image in the background; return the id of the container.

        Raises:
            ServiceError: it does not start.
        """
        return self._checked(["run", "--detach", *options, tag], f"start {tag}").strip().splitlines()[-1]

    def inside(self, container: str, *command: str) -> tuple[int, str]:
        """Execute a command in a running container; its exit code and all it printed."""
        done = self._call(["exec", container, *command])
        return done.returncode, done.stdout + done.stderr

    def ask(self, container: str, what: str) -> str:
        """A value of `inspect`, as a template of Go names it."""
        return self._checked(["inspect", "--format", what, container], f"inspect {container}").strip()

    def logs(self, container: str) -> str:
        """What a container has printed."""
        done = self._call(["logs", container])
        return done.stdout + done.stderr

    def stop(self, container: str, *, grace_s: int) -> int:
        """Ask a container to end, and wait; its exit code."""
        self._checked(["stop", "--time", str(grace_s), container], f"stop {container}")
        return int(self.ask(container, "{{.State.ExitCode}}"))

    def remove(self, container: str) -> None:
        """Take a container away, running or not."""
        self._call(["rm", "--force", "--volumes", container])

    def _checked(self, words: Sequence[str], what: str, *, timeout_s: float = _QUICK_S) -> str:
        done = self._call(words, timeout_s=timeout_s)
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip() or "it gave no reason").splitlines()[-1]
            raise ServiceError(f"{self.name} could not {what}: {said}")
        return done.stdout

    def _call(self, words: Sequence[str], *, timeout_s: float = _QUICK_S) -> "subprocess.CompletedProcess[str]":
        try:
            return subprocess.run(
                [self.name, *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=timeout_s,
            )
        except subprocess.TimeoutExpired:
            raise ServiceError(f"{self.name} {words[0]} did not end within {timeout_s:g} s.") from None


def find_engine(wanted: str | None = None, *, must_run: bool = False) -> Engine:
    """The engine that was asked for, else the first that answers.

    Raises:
        UsageError: an unknown one was asked for.
        ServiceError: none is there, or none that can run containers if that is needed.
    """
    if wanted is not None and wanted not in NAMES:
        raise UsageError(f"'{wanted}' is no engine known here. There are: {', '.join(NAMES)}.")
    tried = []
    for name in [wanted] if wanted else NAMES:
        engine = Engine(name)
        if shutil.which(name) is None:
            tried.append(f"{name} is not installed")
        elif must_run and not engine.can_run:
            tried.append(f"{name} only builds")
        elif name == "docker" and not _answers(name):
            tried.append("docker is installed, but its daemon does not answer")
        else:
            return engine
    raise ServiceError(
        f"No container engine can be used: {'; '.join(tried)}. Install Podman (apt install podman) or start Docker. "
        "Without one, `python docker/main.py check` and `serve` run the same service here."
    )


def _answers(name: str) -> bool:
    try:
        done = subprocess.run([name, "info"], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=20)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
