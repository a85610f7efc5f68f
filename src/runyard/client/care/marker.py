"""What a backup says of itself, and where its parts lie.

<backup>/backup.json             format, the home, and which state of it is complete
<backup>/database.json           what the home's database alone held: accounts, tokens, the audit trail …
<backup>/files/                  files of the home itself, such as saved views
<backup>/runs/<id>/  trash/<id>/ the folders of runs
<backup>/artifacts/<2 hex>/<sha256>
<backup>/lock                    held while somebody writes or restores it
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from runyard.client.care.copying import write_whole
from runyard.errors import ConflictError, FormatUnknown, UsageError

BACKUP_FORMAT = 1


class Marker(msgspec.Struct, frozen=True, kw_only=True):
    """The content of backup.json.

    Attributes:
        home: the id of the home.
        begun_at: when the last backup began (UTC); later than `completed_at` if it was broken off.
        completed_at: when the last one was complete; None: none ever was.
        runs: in the last complete one, without those in the trash.
    """

    format: int = BACKUP_FORMAT
    home: str
    home_format: int
    runyard: str
    begun_at: datetime
    completed_at: datetime | None = None
    runs: int = 0
    trashed: int = 0
    artifacts: int = 0


class Places:
    """Where the parts of a backup lie."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.marker = path / "backup.json"
        self.database = path / "database.json"
        self.files = path / "files"
        self.runs = path / "runs"
        self.trash = path / "trash"
        self.artifacts = path / "artifacts"

    def read_marker(self) -> Marker:
        """What the backup says of itself.

        Raises:
            UsageError: there is no backup.
            FormatUnknown: another version of Runyard made it.
        """
        try:
            data = self.marker.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise UsageError(f"{self.path} is no backup: it holds no {self.marker.name}.") from None
        try:
            version = msgspec.json.decode(data, type=dict[str, msgspec.Raw]).get("format", msgspec.Raw(b"null"))
            if bytes(version) != str(BACKUP_FORMAT).encode():
                raise FormatUnknown(
                    f"{self.path} has backup format {bytes(version)[:20].decode(errors='replace')}; this Runyard knows "
                    f"format {BACKUP_FORMAT}. Install the version that made it."
                )
            return msgspec.json.decode(data, type=Marker)
        except msgspec.MsgspecError as problem:
            raise FormatUnknown(f"{self.marker} cannot be read: {problem}. Is {self.path} a backup?") from None

    def write_marker(self, marker: Marker) -> None:
        """Say something else from now on."""
        write_whole(self.marker, msgspec.json.format(msgspec.json.encode(marker), indent=2) + b"\n")

    @contextmanager
    def locked(self, *, to_write: bool) -> Iterator[None]:
        """Nobody else writes it meanwhile.

        Raises:
            ConflictError: somebody does.
        """
        with (self.path / "lock").open("ab") as file:
            try:
                fcntl.flock(file, (fcntl.LOCK_EX if to_write else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConflictError(f"Another command works with the backup {self.path} just now.") from None
            yield
