"""A small JSON file of a home that people change and that no reindex touches: saved views, reservations."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from runyard.errors import FormatUnknown

T = TypeVar("T")

_FORMAT = 1


class KeptFile(Generic[T]):
    """One value under one name, with the version of its format. One process changes it at a time, readers never wait.

    Args:
        path: the file; it need not be there.
        name: the key of the value.
        kind: its type.
        absent: makes the value that holds as long as there is no file.
    """

    def __init__(self, path: Path, *, name: str, kind: type[T], absent: "type[T]") -> None:
        self.path = path
        self._name = name
        self._kind = kind
        self._absent = absent

    def read(self) -> T:
        """The value.

        Raises:
            FormatUnknown: it is of another version, or damaged.
        """
        try:
            found = msgspec.json.decode(self.path.read_bytes(), type=dict[str, msgspec.Raw])
            if msgspec.json.decode(found.get("format", msgspec.Raw(b"null"))) != _FORMAT:
                raise FormatUnknown(f"{self.path} is of another version of Runyard.")
            return msgspec.json.decode(found.get(self._name, msgspec.Raw(b"null")), type=self._kind)
        except FileNotFoundError:
            return self._absent()
        except msgspec.MsgspecError as problem:
            raise FormatUnknown(f"{self.path} cannot be read: {problem}. Move it away to begin anew.") from None

    @contextmanager
    def changing(self) -> Iterator[T]:
        """The value, to be changed in place; it is on the disk when the block has ended."""
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = self.read()
            yield found
            draft = self.path.with_suffix(".draft")
            with draft.open("wb") as target:
                target.write(msgspec.json.encode({"format": _FORMAT, self._name: found}))
                target.flush()
                os.fsync(target.fileno())
            os.replace(draft, self.path)
