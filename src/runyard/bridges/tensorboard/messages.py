"""What an event file holds: numbers, pictures, sounds, histograms, curves, texts and hyperparameters, in both forms.

The old form has a field for each kind; the new one has tensors, and names the plugin that shows them. Field numbers
are those of TensorFlow's event.proto, summary.proto and tensor.proto, and of the plugin for hyperparameters.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runyard.bridges import protobuf
from runyard.bridges.protobuf import NotAMessage, double, fields, signed, text

SUCCESS, FAILURE = 1, 2  # of a session


@dataclass(frozen=True)
class Number:
    value: float


@dataclass(frozen=True)
class Picture:
    """`data` is a whole file: PNG, JPEG or GIF."""

    data: bytes
    number: int = 0  # of several at one step


@dataclass(frozen=True)
class Sound:
    """`data` is a whole file, as a rule WAV."""

    data: bytes
    number: int = 0  # of several at one step


@dataclass(frozen=True)
class Histogram:
    counts: list[float]
    edges: list[float]  # one more


@dataclass(frozen=True)
class PrecisionRecall:
    """Precision over recall, by growing recall; equally long."""

    precision: list[float]
    recall: list[float]


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Hyperparameters:
    values: dict[str, Any]


@dataclass(frozen=True)
class SessionEnd:
    """How a training said that it ended."""

    status: int


Content = Number | Picture | Sound | Histogram | PrecisionRecall | Text | Hyperparameters | SessionEnd


@dataclass(frozen=True)
class Said:
    """One thing that an event says; `tag` is its name."""

    tag: str
    content: Content


@dataclass(frozen=True)
class Event:
    """One record: a time (seconds since 1970), a step, and what is said about it."""

    time_s: float = 0.0
    step: int = 0
    said: tuple[Said, ...] = ()
    unknown: tuple[str, ...] = ()  # plugins whose data have no place in a run


@dataclass
class _Tensor:
    kind: int = 0
    shape: tuple[int, ...] = ()
    numbers: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    strings: tuple[bytes, ...] = ()


_NUMPY = {1: "<f4", 2: "<f8", 3: "<i4", 4: "u1", 5: "<i2", 6: "i1", 9: "<i8", 10: "?", 19: "<f2"}
_ROWS_OF_PR = 6  # true and false positives, true and false negatives, precision, recall
_VARINTS = {7, 10, 11, 16, 17}  # int_val, int64_val, bool_val, uint32_val, uint64_val


class Reader:
    """Decodes the events of one file; what was once said about a tag (its plugin) holds for later events."""

    def __init__(self, plugins: Mapping[str, str] = {}) -> None:
        """`plugins`: by tag, what another reader had learnt from the beginning of the file."""
        self.plugins = dict(plugins)

    def event(self, record: bytes | memoryview) -> Event:
        """Decode one record.

        Raises:
            NotAMessage: it is none.
        """
        time_s, step = 0.0, 0
        said: list[Said] = []
        unknown: list[str] = []
        for number, _, value, _ in fields(record):
            if number == 1:
                time_s = double(value)
            elif number == 2 and isinstance(value, int):
                step = signed(value)
            elif number == 5 and isinstance(value, memoryview):
                for inner, _, entry, _ in fields(value):
                    if inner == 1 and isinstance(entry, memoryview):
                        self._value(entry, said, unknown)
        return Event(time_s, step, tuple(said), tuple(unknown))

    def _value(self, message: memoryview, said: list[Said], unknown: list[str]) -> None:
        tag, plugin, content = "", "", b""
        tensor: _Tensor | None = None
        found: Content | None = None
        for number, kind, value, _ in fields(message):
            if number == 1:
                tag = text(value)
            elif number == 2 and kind == protobuf.FIXED32:
                found = Number(float(struct.unpack("<f", protobuf.data(value))[0]))
            elif number == 4 and isinstance(value, memoryview):
                found = _picture(value)
            elif number == 5 and isinstance(value, memoryview):
                found = _old_histogram(value)
            elif number == 6 and isinstance(value, memoryview):
                found = _sound(value)
            elif number == 8 and isinstance(value, memoryview):
                tensor = _tensor(value)
            elif number == 9 and isinstance(value, memoryview):
                plugin, content = plugin_of(value)
        if plugin:
            self.plugins[tag] = plugin
        if found is not None:
            said.append(Said(tag, found))
            return
        plugin = self.plugins.get(tag, "")
        if plugin == "hparams":
            hyper = _hyperparameters(content)
            if hyper is not None:
                said.append(Said(tag, hyper))
        elif tensor is not None:
            contents = _of_tensor(plugin, tensor)
            said += [Said(tag, each) for each in contents or ()]
            if contents is None:
                unknown.append(plugin or "a tensor without a plugin")


def plugin_of(message: memoryview) -> tuple[str, bytes]:
    """The name and the content of a value's plugin."""
    name, content = "", b""
    for number, _, value, _ in fields(message):
        if number == 1 and isinstance(value, memoryview):
            for inner, _, entry, _ in fields(value):
                if inner == 1:
                    name = text(entry)
                elif inner == 2:
                    content = protobuf.data(entry)
    return name, content


def _picture(message: memoryview) -> Picture | None:
    for number, _, value, _ in fields(message):
        if number == 4:
            return Picture(protobuf.data(value))
    return None


def _sound(message: memoryview) -> Sound | None:
    for number, _, value, _ in fields(message):
        if number == 4:
            return Sound(protobuf.data(value))
    return None


def _old_histogram(message: memoryview) -> Histogram | None:
    low = 0.0
    limits: list[float] = []
    counts: list[float] = []
    for number, kind, value, _ in fields(message):
        if number == 1:
            low = double(value)
        elif number in (6, 7):
            target = limits if number == 6 else counts
            packed = protobuf.data(value)
            if kind in (protobuf.BYTES, protobuf.FIXED64) and len(packed) % 8 == 0:
                target += struct.unpack(f"<{len(packed) // 8}d", packed)
    return histogram([low, *limits], counts)


def histogram(edges: list[float], counts: list[float]) -> Histogram | None:
    """A histogram whose edges grow and are finite, of one that has empty buckets and limits without end."""
    kept: list[tuple[float, float, float]] = [
        (left, right, count)
        for left, right, count in zip(edges, edges[1:], counts, strict=False)
        if right > left and np.isfinite(left) and np.isfinite(right) and np.isfinite(count)
    ]
    while kept and not kept[0][2]:
        kept.pop(0)
    while kept and not kept[-1][2]:
        kept.pop()
    if not kept:
        return _of_one_value(edges, counts)
    borders, heights = [kept[0][0]], list[float]()
    for left, right, count in kept:
        if left > borders[-1]:  # a gap, where a bucket had no width
            borders.append(left)
            heights.append(0.0)
        borders.append(right)
        heights.append(count)
    return Histogram(heights, borders)


def _of_one_value(edges: list[float], counts: list[float]) -> Histogram | None:
    """Of values that are all the same, which have buckets without width: one bucket around them."""
    places = [(edge, count) for edge, count in zip(edges, counts, strict=False) if count > 0 and np.isfinite(edge)]
    if not places or any(edge != places[0][0] for edge, _ in places):
        return None
    width = max(0.5, abs(places[0][0]) * 1e-6)  # so that the edges differ
    return Histogram([sum(count for _, count in places)], [places[0][0] - width, places[0][0] + width])


def _tensor(message: memoryview) -> _Tensor:
    found = _Tensor()
    raw: bytes | None = None
    numbers: list[float] = []
    strings: list[bytes] = []
    for number, kind, value, _ in fields(message):
        if number == 1 and isinstance(value, int):
            found.kind = value
        elif number == 2 and isinstance(value, memoryview):
            found.shape = _shape(value)
        elif number == 4:
            raw = protobuf.data(value)
        elif number == 8:
            strings.append(protobuf.data(value))
        elif number in (5, 6):
            numbers += np.frombuffer(protobuf.data(value), "<f4" if number == 5 else "<f8").tolist()
        elif number in _VARINTS:
            numbers += [signed(value)] if kind == protobuf.VARINT and isinstance(value, int) else _packed(value)
    if raw is not None and found.kind in _NUMPY:
        dtype = np.dtype(_NUMPY[found.kind])
        if len(raw) % dtype.itemsize:
            raise NotAMessage("a tensor of half numbers")
        found.numbers = np.frombuffer(raw, dtype).astype(np.float64)
    else:
        found.numbers = np.array(numbers, np.float64)
    found.strings = tuple(strings)
    return found


def _packed(value: protobuf.Value) -> list[float]:
    view, at = memoryview(protobuf.data(value)), 0
    numbers: list[float] = []
    while at < len(view):
        number, at = protobuf.varint(view, at)
        numbers.append(signed(number))
    return numbers


def _shape(message: memoryview) -> tuple[int, ...]:
    sizes = []
    for number, _, value, _ in fields(message):
        if number == 2 and isinstance(value, memoryview):
            size = [entry for inner, _, entry, _ in fields(value) if inner == 1 and isinstance(entry, int)]
            sizes.append(size[0] if size else 0)
    return tuple(sizes)


def _of_tensor(plugin: str, tensor: _Tensor) -> list[Content] | None:
    """What a tensor of a plugin says; None if that has no place in a run."""
    if plugin == "scalars":
        if not tensor.numbers.size:
            raise NotAMessage("a scalar without a number")
        return [Number(float(tensor.numbers[-1]))]
    if plugin == "images":  # width, height, and as many pictures as there are
        return [Picture(each, number) for number, each in enumerate(tensor.strings[2:])]
    if plugin == "pr_curves" and len(tensor.shape) == 2 and tensor.numbers.size == _ROWS_OF_PR * tensor.shape[1]:
        rows = tensor.numbers.reshape(_ROWS_OF_PR, -1)[:, ::-1]  # thresholds grow, so recall falls
        return [PrecisionRecall(rows[-2].tolist(), rows[-1].tolist())]
    if plugin == "audio":  # a label stands beside each
        sounds = tensor.strings[:: tensor.shape[1] if len(tensor.shape) == 2 else 1]
        return [Sound(each, number) for number, each in enumerate(sounds)]
    if plugin == "text":
        return [Text("\n\n".join(each.decode("utf-8", "replace") for each in tensor.strings))]
    if plugin == "histograms":  # rows of left edge, right edge, count
        rows = tensor.numbers[: tensor.numbers.size // 3 * 3].reshape(-1, 3)
        if not len(rows):
            return []
        found = histogram([*rows[:, 0].tolist(), float(rows[-1, 1])], rows[:, 2].tolist())
        return [found] if found else []
    return None


def _hyperparameters(content: bytes) -> Hyperparameters | SessionEnd | None:
    """The plugin's data: the beginning or the end of a session; None for what describes an experiment."""
    for number, _, value, _ in fields(content):
        if number == 3 and isinstance(value, memoryview):
            return Hyperparameters(
                dict(
                    _pair(entry) for inner, _, entry, _ in fields(value) if inner == 1 and isinstance(entry, memoryview)
                )
            )
        if number == 4 and isinstance(value, memoryview):
            status = [entry for inner, _, entry, _ in fields(value) if inner == 1 and isinstance(entry, int)]
            return SessionEnd(status[0] if status else 0)
    return None


def _pair(message: memoryview) -> tuple[str, Any]:
    name = ""
    found: Any = None
    for number, _, value, _ in fields(message):
        if number == 1:
            name = text(value)
        elif number == 2 and isinstance(value, memoryview):
            for kind, _, entry, _ in fields(value):
                if kind == 2:
                    number_of = double(entry)
                    found = int(number_of) if number_of.is_integer() and abs(number_of) < 2**53 else number_of
                elif kind == 3:
                    found = text(entry)
                elif kind == 4:
                    found = bool(entry)
    return name, found
