"""Models in ONNX: graphs that ONNX Runtime computes, without the framework that trained them."""

import os
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from runyard.errors import MissingExtra, UsageError

FILE = "model.onnx"


def forbid_telemetry() -> None:
    """Keep ONNX Runtime from telling its makers about this machine; it must be called before it is imported.

    Version 1.32 marks the machine with an id in ~/.cache and knows an address to report to, unless this is set.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"


class OnnxModel:
    """A graph as a function of NumPy arrays. One that came from a classifier also has its two methods."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._inputs = [each.name for each in session.get_inputs()]
        self._outputs = [each.name for each in session.get_outputs()]

    def __call__(self, *arrays: Any) -> Any:
        """The output for some arrays, in the order of the graph's inputs; a tuple if there are several outputs."""
        if len(arrays) != len(self._inputs):
            raise TypeError(f"The model takes {len(self._inputs)} arrays, not {len(arrays)}.")
        found = self._session.run(None, dict(zip(self._inputs, arrays, strict=True)))
        return found[0] if len(found) == 1 else tuple(found)

    def predict(self, features: Any) -> Any:
        """The label, or the number, of each row: shape (n,)."""
        found = self._first(features)
        return found.reshape(len(found))

    def predict_proba(self, features: Any) -> Any:
        """Probabilities, shape (n, classes)."""
        if len(self._outputs) < 2:
            raise AttributeError("This model gives no probabilities.")
        return self._session.run([self._outputs[1]], {self._inputs[0]: features})[0]

    def _first(self, features: Any) -> Any:
        return self._session.run([self._outputs[0]], {self._inputs[0]: features})[0]


def can_save(model: Any) -> bool:
    kind = type(model)
    return kind.__module__.partition(".")[0] == "onnx" and kind.__name__ == "ModelProto"


def save(model: Any, folder: Path) -> None:
    (folder / FILE).write_bytes(model.SerializeToString())


def load(folder: Path, *, into: Any, trusted: Iterable[str], device: str | None) -> Any:
    del into, trusted  # a graph brings its own structure and holds no types
    forbid_telemetry()
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtra(extra="onnx", purpose="Loading a model in ONNX") from None
    try:
        session = onnxruntime.InferenceSession(str(folder / FILE), providers=_providers(onnxruntime, device))
    except Exception as problem:  # its exceptions have no common class but this one
        raise UsageError(f"ONNX Runtime cannot load {folder / FILE}: {problem}") from None
    return OnnxModel(session)


def _providers(onnxruntime: Any, device: str | None) -> list[Any]:
    known = onnxruntime.get_available_providers()
    if device is not None and device.startswith("cuda") and "CUDAExecutionProvider" in known:
        number = int(device.partition(":")[2] or 0)
        return [("CUDAExecutionProvider", {"device_id": number}), "CPUExecutionProvider"]
    return ["CPUExecutionProvider"]


def versions() -> dict[str, str]:
    found = {}
    for name in ("onnx", "onnxruntime"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            pass  # a graph is written without the runtime, and read without the library
    return found
