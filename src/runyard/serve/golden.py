"""Golden samples: requests whose answers are known, kept with the model to prove it wherever it is loaded.

golden/samples.json lists them; a request is a file as a customer would send it, or the JSON of an input.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from runyard.errors import FormatUnknown
from runyard.serve.interface import Interface, Predict

FOLDER = "golden"
LIST = "samples.json"


class Tolerance(msgspec.Struct, frozen=True, kw_only=True):
    """How far a number may be from the golden one: absolute + relative × its size. Processors differ."""

    absolute: float = 1e-5
    relative: float = 1e-3

    def allows(self, wanted: float, found: float) -> bool:
        if math.isnan(wanted) or math.isnan(found):
            return math.isnan(wanted) and math.isnan(found)
        return wanted == found or abs(wanted - found) <= self.absolute + self.relative * abs(wanted)


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One request, by the name of its file, and its answer as a JSON document."""

    request: str
    content_type: str
    answer: Any


class Samples(msgspec.Struct, frozen=True, kw_only=True):
    """The content of golden/samples.json."""

    tolerance: Tolerance = Tolerance()
    samples: tuple[Sample, ...] = ()


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One golden sample and what the model said; `differences` is empty if it said the same."""

    request: str
    wanted: Any
    found: Any
    differences: tuple[str, ...]


def read_samples(folder: Path) -> Samples:
    """The golden samples of a model folder; none if it holds none.

    Raises:
        FormatUnknown: the list cannot be read.
    """
    path = folder / FOLDER / LIST
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Samples)
    except FileNotFoundError:
        return Samples()
    except (msgspec.ValidationError, msgspec.DecodeError) as problem:
        raise FormatUnknown(f"{path} cannot be read as a list of golden samples: {problem}.") from None
    for sample in found.samples:
        if Path(sample.request).name != sample.request:
            raise FormatUnknown(f"{path} names the request '{sample.request}', which does not lie beside it.")
    return found


def write_samples(folder: Path, samples: Samples, requests: dict[str, bytes]) -> None:
    """Write requests and answers into the `golden` folder of a model."""
    place = folder / FOLDER
    place.mkdir()
    for name, data in requests.items():
        (place / name).write_bytes(data)
    (place / LIST).write_bytes(msgspec.json.format(msgspec.json.encode(samples), indent=2) + b"\n")


def compare(folder: Path, model: Any, predict: Predict, interface: Interface) -> list[Compared]:
    """Send each golden request of a folder to the model, one at a time, as requests come.

    Raises:
        FormatUnknown: the list cannot be read.
        Refused: a request does not fit the project's Input any more.
    """
    known = read_samples(folder)
    found = []
    for sample in known.samples:
        body = (folder / FOLDER / sample.request).read_bytes()
        value = interface.one(body, sample.content_type, sample.request)
        (output,) = predict(model, [value])
        answer = interface.document(output)
        different = tuple(differences(sample.answer, answer, known.tolerance))
        found.append(Compared(request=sample.request, wanted=sample.answer, found=answer, differences=different))
    return found


def differences(wanted: Any, found: Any, tolerance: Tolerance, place: str = "") -> list[str]:
    """Sentences that say where two JSON documents differ by more than the tolerance."""
    name = place or "the answer"
    if _is_number(wanted) and _is_number(found):
        return [] if tolerance.allows(wanted, found) else [f"{name} is {found}, not {wanted}"]
    if isinstance(wanted, dict) and isinstance(found, dict):
        if wanted.keys() != found.keys():
            return [f"{name} has the fields {', '.join(found)}, not {', '.join(wanted)}"]
        inner = ((wanted[key], found[key], f"{place}.{key}" if place else key) for key in wanted)
        return [each for one, other, at in inner for each in differences(one, other, tolerance, at)]
    if isinstance(wanted, list) and isinstance(found, list):
        if len(wanted) != len(found):
            return [f"{name} has {len(found)} parts, not {len(wanted)}"]
        pairs = enumerate(zip(wanted, found, strict=True))
        return [each for n, (one, other) in pairs for each in differences(one, other, tolerance, f"{place}[{n}]")]
    return [] if wanted == found and type(wanted) is type(found) else [f"{name} is {found!r}, not {wanted!r}"]


def evenly(items: Sequence[Any], most: int) -> list[Any]:
    """At most so many of them, spread over the whole."""
    if len(items) <= most:
        return list(items)
    return [items[round(n * (len(items) - 1) / max(most - 1, 1))] for n in range(most)]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
