"""From PyTorch or scikit-learn to ONNX, with proof: both compute the golden samples, and the difference is kept.

What goes into a module is seen by listening while the project's own `predict` works, so that a project need not
describe it. The first dimension of every input stays free: it is the batch.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from runyard.errors import MissingExtra, UsageError
from runyard.tracking.models import read_manifest, write_manifest
from runyard.tracking.models.onnx import FILE, OnnxModel, forbid_telemetry
from runyard.tracking.models.onnx import load as load_onnx
from runyard.tracking.models.onnx import versions as onnx_versions

OPSET = 18  # known to ONNX Runtime since 1.14, and to the converters of both frameworks
ABSOLUTE = 1e-4  # how far the two may be apart: float32, computed in another order
RELATIVE = 1e-3

Predict = Callable[[Any, list[Any]], Sequence[Any]]


def to_onnx(model: Any, predict: Predict, inputs: list[Any], folder: Path) -> dict[str, Any]:
    """Replace the model files of a folder by model.onnx; return how well the two agree.

    Args:
        model: what the project's `load` gave.
        inputs: golden samples.
        folder: with the files of the model and a manifest, which is rewritten.

    Raises:
        UsageError: the model cannot be converted, or the two do not agree.
        MissingExtra: a converter is not installed.
    """
    forbid_telemetry()  # the converters import the runtime, too
    manifest = read_manifest(folder)
    if manifest.framework == "torch":
        graph, arrays, wanted = _from_torch(model, predict, inputs)
    elif manifest.framework == "sklearn":
        graph, arrays, wanted = _from_sklearn(model, predict, inputs)
    else:
        raise UsageError(f"A model of '{manifest.framework}' cannot be converted to ONNX: only torch and sklearn can.")
    for name in manifest.files:
        (folder / name).unlink()
    (folder / FILE).write_bytes(graph)
    converted: OnnxModel = load_onnx(folder, into=None, trusted=(), device="cpu")
    parity = _compare(converted, arrays, wanted)
    manifest = msgspec.structs.replace(
        manifest,
        framework="onnx",
        versions={**manifest.versions, **onnx_versions()},
        meta={**manifest.meta, "opset": OPSET},
    )
    write_manifest(folder, manifest)
    return {"from": read_manifest(folder).type, "opset": OPSET, **parity}


def _compare(converted: OnnxModel, arrays: Sequence[Any], wanted: Sequence[Any]) -> dict[str, Any]:
    found = converted(*arrays)
    found = found if isinstance(found, tuple) else (found,)
    worst = 0.0
    for one, other in zip(wanted, found, strict=False):
        if one.shape != other.shape:
            raise UsageError(f"The model in ONNX gives the shape {other.shape} where the original gives {one.shape}.")
        worst = max(worst, float(np.abs(one.astype(np.float64) - other.astype(np.float64)).max()))
        if not np.allclose(one, other, atol=ABSOLUTE, rtol=RELATIVE):
            raise UsageError(
                f"The model in ONNX does not agree with the original: on {len(one)} golden samples they are up to "
                f"{worst:.3g} apart, and {ABSOLUTE:g} + {RELATIVE:g} × value is allowed. Deliver the original."
            )
    return {"samples": len(arrays[0]), "largest_difference": worst, "absolute": ABSOLUTE, "relative": RELATIVE}


# ---- PyTorch ----


def _from_torch(model: Any, predict: Predict, inputs: list[Any]) -> tuple[bytes, Sequence[Any], Sequence[Any]]:
    try:
        import onnxscript  # noqa: F401  # what torch.onnx.export works with
        import torch
    except ImportError:
        raise MissingExtra(extra="onnx", purpose="Converting a model of PyTorch to ONNX") from None
    module = model if isinstance(model, torch.nn.Module) else getattr(model, "module", None)
    if not isinstance(module, torch.nn.Module):
        raise UsageError(
            "src/inference.py's load gives no module of PyTorch, so its graph cannot be seen. "
            "Return the module, or load_model(path, into=module, device=device)."
        )
    arguments, output = _heard(module, lambda: predict(model, inputs))
    batch = torch.export.Dim("batch")
    try:
        with _quiet():
            program = torch.onnx.export(
                module.eval(),
                arguments,
                dynamo=True,
                opset_version=OPSET,
                dynamic_shapes=tuple({0: batch} for _ in arguments),
                verbose=False,
            )
            assert program is not None  # it is None only without dynamo
            graph: bytes = program.model_proto.SerializeToString()
    except Exception as problem:  # the exporter raises whatever it likes
        raise UsageError(f"The model cannot be exported to ONNX: {(str(problem).splitlines() or [''])[0]}") from problem
    outputs = output if isinstance(output, tuple) else (output,)
    return graph, [each.numpy() for each in arguments], [each.numpy() for each in outputs]


def _heard(module: Any, call: Callable[[], object]) -> tuple[tuple[Any, ...], Any]:
    """What went into the module and came out of it while `call` ran."""
    heard: list[tuple[tuple[Any, ...], Any]] = []
    hook = module.register_forward_hook(lambda _, arguments, output: heard.append((arguments, output)))
    try:
        call()
    finally:
        hook.remove()
    if not heard:
        raise UsageError("predict of src/inference.py does not call the module, so its inputs cannot be seen.")
    arguments, output = heard[-1]
    given = output if isinstance(output, tuple) else (output,)
    plain = tuple(each.detach().cpu().clone() for each in given)
    return tuple(each.detach().cpu().clone() for each in arguments), plain if isinstance(output, tuple) else plain[0]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter tells at length what nobody needs to know."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


# ---- scikit-learn ----


def _from_sklearn(model: Any, predict: Predict, inputs: list[Any]) -> tuple[bytes, Sequence[Any], Sequence[Any]]:
    try:
        from skl2onnx import to_onnx as convert
    except ImportError:
        raise MissingExtra(extra="onnx", purpose="Converting a model of scikit-learn to ONNX") from None
    features = _seen(model, predict, inputs)
    options = {id(model): {"zipmap": False}} if hasattr(model, "classes_") else None
    try:
        with _quiet():
            graph = convert(model, features[:1], options=options, target_opset=OPSET)
    except Exception as problem:  # the converter raises whatever it likes
        raise UsageError(f"The model cannot be exported to ONNX: {(str(problem).splitlines() or [''])[0]}") from problem
    wanted = [model.predict(features)]
    if hasattr(model, "classes_"):
        wanted.append(model.predict_proba(features))
    else:
        wanted = [wanted[0].reshape(len(features), -1)]
    data: bytes = graph.SerializeToString()
    return data, [features], wanted


class _Listener:
    """Stands in for an estimator and keeps what it is asked with."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.heard: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._model, name)
        if name not in ("predict", "predict_proba", "decision_function", "transform", "score_samples"):
            return found

        def call(features: Any, *others: Any, **more: Any) -> Any:
            self.heard.append(np.asarray(features))
            return found(features, *others, **more)

        return call


def _seen(model: Any, predict: Predict, inputs: list[Any]) -> Any:
    listener = _Listener(model)
    predict(listener, inputs)
    if not listener.heard:
        raise UsageError("predict of src/inference.py does not ask the estimator, so its inputs cannot be seen.")
    features = listener.heard[-1]
    if features.dtype.kind != "f":
        raise UsageError(f"Features of type {features.dtype} cannot be converted to ONNX; numbers as float32 can.")
    return features
