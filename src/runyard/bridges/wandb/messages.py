"""What records hold: fields by their numbers, as W&B's public wandb_internal.proto gives them.

A history has a value for each key, and most of a file is histories, so they have a reader of their own; all else takes
the general way.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from runyard.bridges.protobuf import NotAMessage, Value, fields, signed, text, varint

HISTORY, SUMMARY, OUTPUT, CONFIG, FILES, STATS, ARTIFACT = 2, 3, 4, 5, 6, 7, 8
OUTPUT_RAW, RUN, EXIT, HEADER, PREEMPTING, USED, ENVIRONMENT = 13, 17, 18, 21, 23, 25, 26
_KNOWN = frozenset((HISTORY, SUMMARY, OUTPUT, CONFIG, FILES, STATS, ARTIFACT, OUTPUT_RAW, RUN, EXIT, HEADER,
                    PREEMPTING, USED, ENVIRONMENT))  # fmt: skip

Path = tuple[str, ...]
Items = list[tuple[Path, bytes]]  # a key, in its parts where it is nested, and JSON

_VALUE_TAG = (16 << 3 | 2, 1)  # the two bytes of the tag of field 16


@dataclass
class Changes:
    """Of a config or a summary: what is set, and what is taken away."""

    put: Items = field(default_factory=list)
    gone: list[Path] = field(default_factory=list)


@dataclass
class RunSaid:
    """What a run says of itself when it begins, and again when something of it changes."""

    id: str = ""
    entity: str = ""
    project: str = ""
    group: str = ""
    job_type: str = ""
    name: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    sweep: str = ""
    host: str = ""
    start_ns: int = 0
    commit: str = ""
    config: Changes = field(default_factory=Changes)
    summary: Changes = field(default_factory=Changes)


@dataclass
class EnvironmentSaid:
    """Where it ran; several of these records complete each other."""

    os: str = ""
    python: str = ""
    args: list[str] = field(default_factory=list)
    program: str = ""
    host: str = ""
    user: str = ""
    executable: str = ""
    commit: str = ""
    cpu: str = ""
    cpu_count: int = 0
    memory_bytes: int = 0
    gpu_type: str = ""
    gpus: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Entry:
    """A file of an artifact: where it lay on the machine of the run, or what it refers to."""

    path: str
    ref: str
    size_bytes: int
    local_path: str
    digest: str


@dataclass
class ArtifactSaid:
    """Files that were logged together."""

    kind: str = ""
    name: str = ""
    description: str = ""
    metadata: str = ""
    aliases: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)


def kind_of(record: bytes) -> tuple[int, memoryview]:
    """What a record is (its field's number) and its message; 0 for what is not known.

    Raises:
        NotAMessage: it is no record.
    """
    for number, _, value, _ in fields(record):
        if number in _KNOWN and isinstance(value, memoryview):
            return number, value
    return 0, memoryview(b"")


class ItemReader:
    """Reads histories and summaries; the same keys come again and again, so they are decoded once."""

    def __init__(self) -> None:
        self._paths: dict[bytes, Path] = {}

    def history(self, message: memoryview) -> tuple[int | None, Items]:
        """The step, if the record has one of its own, and the values.

        Raises:
            NotAMessage: it is none.
        """
        data = bytes(message)
        step: int | None = None
        items: Items = []
        for tag, begin, end in _chunks(data):
            if tag == 0x0A:
                items.append(self._item(data, begin, end))
            elif tag == 0x12:
                step = next(
                    (signed(value) for n, _, value, _ in fields(data[begin:end]) if n == 1 and isinstance(value, int)),
                    0,
                )
        return step, items

    def summary(self, message: memoryview) -> Items:
        """What a summary sets; what it takes away has no value (`b""`).

        Raises:
            NotAMessage: it is none.
        """
        data = bytes(message)
        items: Items = []
        for tag, begin, end in _chunks(data):
            if tag == 0x0A:
                items.append(self._item(data, begin, end))
            elif tag == 0x12:
                items.append((_path(data[begin:end]), b""))
        return items

    def _item(self, data: bytes, begin: int, end: int) -> tuple[Path, bytes]:
        at = begin
        while at < end:
            if data[at] == _VALUE_TAG[0] and data[at + 1] == _VALUE_TAG[1]:
                head = data[begin:at]
                size, start = _length(data, at + 2)
                path = self._paths.get(head)
                if path is None:
                    path = self._paths[head] = _path(head)
                return path, data[start : start + size]
            size, start = _length(data, at + 1)
            at = start + size
        return _path(data[begin:end]), b""


def changes(message: memoryview) -> Changes:
    """A config or a summary."""
    found = Changes()
    for number, _, value, _ in fields(message):
        if number == 1 and isinstance(value, memoryview):
            found.put.append(_item(value))
        elif number == 2 and isinstance(value, memoryview):
            found.gone.append(_item(value)[0])
    return found


def run_said(message: memoryview) -> RunSaid:
    """What a run says of itself."""
    found = RunSaid()
    names = {
        1: "id",
        2: "entity",
        3: "project",
        6: "group",
        7: "job_type",
        8: "name",
        9: "note",
        12: "sweep",
        13: "host",
    }
    tags: list[str] = []
    for number, _, value, _ in fields(message):
        if number in names:
            setattr(found, names[number], text(value))
        elif number == 10:
            tags.append(text(value))
        elif isinstance(value, memoryview):
            if number == 4:
                found.config = changes(value)
            elif number == 5:
                found.summary = changes(value)
            elif number == 17:
                found.start_ns = timestamp_ns(value)
            elif number == 21:
                found.commit = _text_of(value, 2)
    found.tags = tuple(tags)
    return found


def output(message: memoryview) -> tuple[int, str]:
    """When something was printed (nanoseconds since 1970; 0: nobody knows), and what."""
    time_ns, line = 0, ""
    for number, _, value, _ in fields(message):
        if number == 2 and isinstance(value, memoryview):
            time_ns = timestamp_ns(value)
        elif number == 3:
            line = text(value)
    return time_ns, line


def stats(message: memoryview) -> tuple[int, Items]:
    """When the machine was measured (nanoseconds since 1970), and what was found."""
    time_ns = 0
    items: Items = []
    for number, _, value, _ in fields(message):
        if number == 2 and isinstance(value, memoryview):
            time_ns = timestamp_ns(value)
        elif number == 3 and isinstance(value, memoryview):
            items.append(_item(value))
    return time_ns, items


def exit_said(message: memoryview) -> tuple[int, int]:
    """Exit code, and how many seconds it ran."""
    found = {number: value for number, _, value, _ in fields(message) if isinstance(value, int)}
    return signed(found.get(1, 0)), found.get(2, 0)


def version(message: memoryview) -> str:
    """Which W&B wrote the file."""
    for number, _, value, _ in fields(message):
        if number == 1 and isinstance(value, memoryview):
            return _text_of(value, 1)
    return ""


def used(message: memoryview) -> str:
    """The name of an artifact that a run used."""
    return _text_of(message, 3)


def files_said(message: memoryview) -> Iterator[str]:
    """Names of files that were saved."""
    for number, _, value, _ in fields(message):
        if number == 1 and isinstance(value, memoryview):
            yield _text_of(value, 1)


def add_environment(message: memoryview, found: EnvironmentSaid) -> None:
    """Complete what is known of where it ran."""
    names = {1: "os", 2: "python", 6: "program", 12: "host", 13: "user", 14: "executable", 18: "gpu_type"}
    for number, _, value, _ in fields(message):
        if number in names:
            setattr(found, names[number], text(value))
        elif number == 5:
            found.args.append(text(value))
        elif number == 17 and isinstance(value, int):
            found.cpu_count = value
        elif isinstance(value, memoryview):
            if number == 9:
                found.commit = _text_of(value, 2)
            elif number == 21:
                found.memory_bytes = next((n for i, _, n, _ in fields(value) if i == 1 and isinstance(n, int)), 0)
            elif number == 22:
                found.cpu = _text_of(value, 3)
            elif number == 24:
                found.gpus.append(_text_of(value, 1))


def artifact(message: memoryview) -> ArtifactSaid:
    """Files that were logged together."""
    found = ArtifactSaid()
    names = {4: "kind", 5: "name", 7: "description", 8: "metadata"}
    for number, _, value, _ in fields(message):
        if number in names:
            setattr(found, names[number], text(value))
        elif number == 11:
            found.aliases.append(text(value))
        elif number == 12 and isinstance(value, memoryview):
            found.entries = [
                _entry(each) for inner, _, each, _ in fields(value) if inner == 4 and isinstance(each, memoryview)
            ]
    return found


def timestamp_ns(message: memoryview) -> int:
    """Nanoseconds since 1970."""
    found = {number: signed(value) for number, _, value, _ in fields(message) if isinstance(value, int)}
    return found.get(1, 0) * 1_000_000_000 + found.get(2, 0)


def _entry(message: memoryview) -> Entry:
    said: dict[int, Value] = {number: value for number, _, value, _ in fields(message)}
    size = said.get(4, 0)
    return Entry(
        path=_as_text(said.get(1)),
        ref=_as_text(said.get(3)),
        size_bytes=signed(size) if isinstance(size, int) else 0,
        local_path=_as_text(said.get(6)),
        digest=_as_text(said.get(2)),
    )


def _item(message: memoryview) -> tuple[Path, bytes]:
    path: list[str] = []
    value_json = b""
    for number, _, value, _ in fields(message):
        if number in (1, 2):
            path.append(text(value))
        elif number == 16 and isinstance(value, memoryview):
            value_json = bytes(value)
    return tuple(path), value_json


def _path(head: bytes) -> Path:
    return tuple(text(value) for number, _, value, _ in fields(head) if number in (1, 2))


def _text_of(message: memoryview, number: int) -> str:
    return next((text(value) for each, _, value, _ in fields(message) if each == number), "")


def _as_text(value: Value | None) -> str:
    return text(value) if isinstance(value, memoryview) else ""


def _chunks(data: bytes) -> Iterator[tuple[int, int, int]]:
    """The fields of a message that has none but those with a length, as in histories: tag, begin and end of each."""
    at, end = 0, len(data)
    while at < end:
        tag = data[at]
        size, begin = _length(data, at + 1)
        at = begin + size
        if at > end:
            raise NotAMessage("a field is longer than its message")
        yield tag, begin, at


def _length(data: bytes, at: int) -> tuple[int, int]:
    try:
        size = data[at]
    except IndexError:
        raise NotAMessage("a field ends before its length") from None
    return (size, at + 1) if size < 0x80 else varint(memoryview(data), at)
