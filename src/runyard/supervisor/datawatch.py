"""Looking at a run's data beside everything else: in a thread, since a large folder takes a while.

What is found is kept in the home (`data/`): contents that were read once need not be read again by the next run, and
runs of one grid, or of one config, hear if they do not see the same data.
"""

import hashlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path

import msgspec

from runyard.config.datapaths import named_paths
from runyard.datafiles import (
    SAMPLES,
    Fingerprint,
    changed_files,
    fingerprint,
    is_same,
    read_listing,
)
from runyard.journal import Home
from runyard.records import DataSource, RunSpec

_SHOWN = 3  # names of files in a warning


class Seen(msgspec.Struct, frozen=True):
    """What the first run of a grid, or of a config, found."""

    run: str
    sources: tuple[DataSource, ...]
    listings: tuple[bytes, ...]


class DataWatch:
    """The data of one attempt. Ask `is_ready` before `found` and `warnings`."""

    def __init__(self, spec: RunSpec, home: Home, *, used: Mapping[str, str] | None = None) -> None:
        """`used` are the paths of this machine, by key, that take the place of those that were asked for."""
        self._spec = spec
        self._folder = home.data
        self._wanted = _wanted(spec, used or {})
        self._found: list[Fingerprint] = []
        self._warnings: list[str] = []
        self._thread = threading.Thread(target=self._look, daemon=True, name="data")  # the end waits for nobody

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def wait(self, timeout_s: float) -> None:
        """Give it a last moment."""
        self._thread.join(timeout_s)

    @property
    def is_ready(self) -> bool:
        """Whether all was looked at."""
        return self._thread.ident is not None and not self._thread.is_alive()

    @property
    def found(self) -> list[Fingerprint]:
        return self._found

    @property
    def warnings(self) -> list[str]:
        """One sentence for each source that is not what an earlier run of the same grid or config found."""
        return self._warnings

    def _look(self) -> None:
        self._found = [fingerprint(key, path, known=self._known) for key, path in self._wanted]
        for each in self._found:
            if not each.source.problem:
                _keep(self._place_of(each.source.path), Seen("", (each.source,), (each.listing,)))
        self._warnings = self._compare([each for each in self._found if each.source.key != SAMPLES])

    def _known(self, source: DataSource) -> Fingerprint | None:
        before = _read(self._place_of(source.path))
        if before is None or before.sources[0].times != source.times:
            return None
        return Fingerprint(msgspec.structs.replace(before.sources[0], key=source.key), before.listings[0])

    def _place_of(self, text: str) -> Path:
        return self._folder / hashlib.sha256(text.encode(errors="replace")).hexdigest()[:32]

    def _compare(self, found: list[Fingerprint]) -> list[str]:
        if not found:
            return []
        what = "grid" if self._spec.grid else "config"
        data = self._spec.data or ""
        place = self._place_of(f"{what} {self._spec.project} {self._spec.grid or self._spec.config_id} {data}")
        first = _read(place)
        if first is None or first.run == self._spec.id:
            ours = Seen(self._spec.id, tuple(e.source for e in found), tuple(e.listing for e in found))
            _keep(place, ours)
            return []
        before = {each.key: (each, listing) for each, listing in zip(first.sources, first.listings, strict=True)}
        return [
            f"The data of {each.source.key} changed since run {first.run} of the same {what} saw them"
            f"{tell_changes(before[each.source.key][1], each.listing)}. "
            f"`runyard diff {first.run} {self._spec.id} --section data` tells more."
            for each in found
            if each.source.key in before and is_same(before[each.source.key][0], each.source) is False
        ]


def tell_changes(before: bytes, after: bytes) -> str:
    """`: 2 files changed (a.png, b.png), 1 added (c.png)`, or nothing where no list tells."""
    try:
        changes = changed_files(read_listing(before), read_listing(after))
    except ValueError:
        return ""
    parts = [
        f"{len(names):,} {what} ({', '.join(names[:_SHOWN])}{', …' if len(names) > _SHOWN else ''})"
        for what, names in changes.items()
    ]
    return f": {', '.join(parts)}" if parts else ""


def _wanted(spec: RunSpec, used: Mapping[str, str]) -> list[tuple[str, Path]]:
    if not spec.project_dir:
        return []
    root = Path(spec.project_dir)
    asked = named_paths(spec.config, spec.data_roots, spec.data)
    named = [(key, used.get(key, path)) for key, path in asked]
    found = [(key, Path(os.path.normpath(root / Path(path).expanduser()))) for key, path in named]
    samples = root / SAMPLES
    if samples.is_dir() and samples not in [path for _, path in found]:
        found.append((SAMPLES, samples))
    return found


def _read(place: Path) -> Seen | None:
    try:
        return msgspec.msgpack.decode(place.read_bytes(), type=Seen)
    except (OSError, msgspec.MsgspecError):  # not there yet; or of another version, and will be written anew
        return None


def _keep(place: Path, seen: Seen) -> None:
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        place.parent.mkdir(exist_ok=True)
        draft.write_bytes(msgspec.msgpack.encode(seen))
        os.replace(draft, place)
    except OSError:  # a full disk: the next run reads the data once more
        draft.unlink(missing_ok=True)
