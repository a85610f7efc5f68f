"""An image as a file (`docker save`): its id, its layers, and its files in the end. No engine is needed."""

import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from runyard.errors import ServiceError

_GONE = ".wh."  # in front of the name of a file that a layer takes away
_ALL_GONE = ".wh..wh..opq"
_LARGEST_TEXT_BYTES = 4 << 20


@dataclass
class Layer:
    """One layer: the paths that it brings, without a leading slash, and its size unpacked."""

    name: str
    paths: dict[str, int] = field(default_factory=dict)  # size in bytes

    @property
    def size_bytes(self) -> int:
        return sum(self.paths.values())


class ImageArchive:
    """A saved image, opened for reading."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            ServiceError: it is no saved image.
        """
        self.path = path
        try:
            self._tar = tarfile.open(path)  # noqa: SIM115  # closed by __exit__
            (self._manifest,) = json.loads(self._bytes("manifest.json"))
            self.config: dict[str, Any] = json.loads(self._bytes(self._manifest["Config"]))
        except (tarfile.TarError, OSError, KeyError, ValueError) as problem:
            raise ServiceError(f"{path} is no saved image: {problem}") from None

    def __enter__(self) -> "ImageArchive":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tar.close()

    @property
    def id(self) -> str:
        """The id of the image, `sha256:` and 64 hex digits: what an engine shows after loading it."""
        return "sha256:" + Path(self._manifest["Config"]).name.removesuffix(".json")

    @property
    def layer_ids(self) -> list[str]:
        """What each layer holds, unpacked, as `sha256:` and 64 hex digits."""
        return list(self.config.get("rootfs", {}).get("diff_ids", []))

    @property
    def tags(self) -> list[str]:
        """Names that the image has."""
        return list(self._manifest.get("RepoTags") or [])

    def layers(self) -> Iterator[Layer]:
        """The layers from the base upwards."""
        for name in self._manifest["Layers"]:
            layer = Layer(name)
            with self._layer(name) as tar:
                for member in tar:
                    layer.paths[member.name.removeprefix("./").strip("/")] = member.size if member.isfile() else 0
            yield layer

    def read(self, wanted: Callable[[str], bool]) -> dict[str, bytes]:
        """The contents of those files that `wanted` says yes to, as they stand in the finished image."""
        found: dict[str, bytes] = {}
        for name in self._manifest["Layers"]:
            with self._layer(name) as tar:
                for member in tar:
                    path = member.name.removeprefix("./").strip("/")
                    folder, _, last = path.rpartition("/")
                    if last == _ALL_GONE:
                        found = {key: data for key, data in found.items() if not key.startswith(f"{folder}/")}
                    elif last.startswith(_GONE):
                        gone = f"{folder}/{last.removeprefix(_GONE)}".lstrip("/")
                        found = {k: data for k, data in found.items() if k != gone and not k.startswith(f"{gone}/")}
                    elif member.isfile() and member.size <= _LARGEST_TEXT_BYTES and wanted(path):
                        file = tar.extractfile(member)
                        assert file is not None  # it is a file
                        found[path] = file.read()
        return found

    def _layer(self, name: str) -> tarfile.TarFile:
        return tarfile.open(fileobj=self._open(name))

    def _bytes(self, name: str) -> bytes:
        return self._open(name).read()

    def _open(self, name: str) -> IO[bytes]:
        found = self._tar.extractfile(name)
        if found is None:
            raise KeyError(name)
        return found
