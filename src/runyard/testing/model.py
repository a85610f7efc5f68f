"""Checks of a model: what comes out, what is learnt, what a sample's neighbours may change, saving and loading."""

import copy
import sys
import tempfile
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import numpy as np

from runyard.contracts import Array
from runyard.contracts.conversion import AnyArray, as_array
from runyard.testing.values import (
    Output,
    agree,
    backwards,
    call,
    in_mode,
    is_estimator,
    is_module,
    listed,
    number,
    on_device,
    output_of,
    plural,
    rows,
    tolerance_for,
)

Patterns = str | Sequence[str]


def assert_forward(
    model: Any,
    inputs: Any,
    *,
    shape: tuple[int | str, ...] | None = None,
    dtype: str | None = None,
    range: tuple[float | None, float | None] | None = None,
    outputs: Literal["logits", "probabilities"] | None = None,
    method: str | None = None,
) -> None:
    """A model gives what it should, for one sample and for all, and the same again.

    Args:
        model: a module of PyTorch (called in evaluation mode, and left as it was), an estimator of scikit-learn, or a
            function of inputs.
        inputs: at least one sample, along the first axis.
        shape, dtype, range: of the output, as `assert_batch` takes them; the name of the first axis is free.
        outputs: what the numbers of a row mean. "logits" must not be probabilities already, which is what softmax
            before a loss that takes logits looks like; "probabilities" lie in 0 to 1 and sum up to 1.
        method: of an estimator, in place of predict_proba or predict.
    """
    found = _output(model, inputs, method)
    again = _output(model, inputs, method)
    single = _single(model, inputs, 0, method, "forward")
    n = len(next(iter(found.arrays.values())))
    for name, array in found.arrays.items():
        place = f"the output{f' {name}' if name else ''}"
        _require_declared(array, found.dtypes[name], place, shape=shape, dtype=dtype, range=range)
        if not np.array_equal(array, again.arrays[name], equal_nan=array.dtype.kind == "f"):
            raise AssertionError(
                f"forward: {place} is another one for the same inputs (by up to {_gap(array, again.arrays[name])}). "
                "Usual causes: dropout that does not heed eval() (functional.dropout without training=self.training), "
                "noise or augmentation inside the model, a generator without seed."
            )
        if single.arrays[name].shape != (1, *array.shape[1:]):
            raise AssertionError(
                f"forward: {place} has the shape {array.shape} for {plural(n, 'sample')}, but "
                f"{single.arrays[name].shape} for a single one. Usual causes: squeeze() without an axis, a "
                "fixed batch size."
            )
        if outputs is not None:
            _require_meaning(array, outputs, place)


def assert_gradients(
    model: Any,
    inputs: Any,
    targets: Any = None,
    *,
    loss: Callable[..., Any] | None = None,
    frozen: Patterns = (),
) -> None:
    """A training step reaches every parameter that is to be trained, and none that is frozen.

    Of PyTorch the gradients are looked at; of an estimator with `partial_fit` whether its coefficients move.

    Args:
        model: a module of PyTorch, in training mode while this looks, with its gradients cleared afterwards; or an
            estimator, of which a copy learns.
        targets: of the loss, or the labels of an estimator.
        loss: of (output, targets), or of the output alone if there are no targets; the mean of squares if left out.
        frozen: names of parameters that are frozen on purpose, with wildcards: "backbone.layer4.*".
    """
    patterns = [frozen] if isinstance(frozen, str) else list(frozen)
    if is_module(model):
        _check_gradients(model, inputs, targets, loss, patterns)
    elif hasattr(model, "partial_fit"):
        _check_coefficients(model, inputs, targets, patterns)
    else:
        raise TypeError(f"{type(model).__name__} is neither a module of PyTorch nor an estimator with partial_fit.")


def assert_batch_independent(
    model: Any,
    inputs: Any,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    method: str | None = None,
) -> None:
    """What a model says of a sample does not depend on the samples beside it.

    Args:
        inputs: two samples or more; each is tried alone, and all of them in reverse order.
        rtol, atol: relative and absolute tolerance; by the type of the output if left out (float32: 1e-5 and 1e-6).
    """
    whole = _output(model, inputs, method)
    n = len(next(iter(whole.arrays.values())))
    if n < 2:
        raise AssertionError(f"batch independence: it takes two samples or more to see anything, not {n}.")
    reverse = _output(model, backwards(inputs), method)
    for place in np.arange(n):
        single = _single(model, inputs, int(place), method, "batch independence")
        for name, array in whole.arrays.items():
            tolerance = tolerance_for(whole.dtypes[name], rtol, atol)
            for other, how in (
                (single.arrays[name][0], "alone"),
                (reverse.arrays[name][n - 1 - place], "in reverse"),
            ):
                if not agree(other, array[place], tolerance).all():
                    raise AssertionError(
                        f"batch independence: sample {place} gives {_short(other)} {how} and {_short(array[place])} in "
                        f"a batch of {n} (a difference of {_gap(other, array[place])}). Usual causes: BatchNorm that "
                        "uses the batch's own statistics (training mode, or track_running_stats=False), a softmax, "
                        "mean or normalisation over axis 0, a scaler that is fitted while predicting."
                    )


def assert_roundtrip(
    model: Any,
    inputs: Any,
    *,
    save: Callable[[Any, Path], object] | None = None,
    load: Callable[[Path], Any] | None = None,
    make: Callable[[], Any] | None = None,
    rtol: float | None = None,
    atol: float | None = None,
    method: str | None = None,
) -> None:
    """A model that was saved and loaded gives the same outputs.

    Args:
        save, load: of a folder; both or none. None: as `run.save_model` and `load_model` do it.
        make: a model that has learnt nothing, to load the weights of PyTorch into; a copy with other weights if left
            out.
    """
    if (save is None) != (load is None):
        raise TypeError("assert_roundtrip takes both save and load, or none of them.")
    before = _output(model, inputs, method)
    with tempfile.TemporaryDirectory(prefix="runyard-") as scratch:
        folder = Path(scratch) / "model"
        if save is not None and load is not None:
            folder.mkdir()
            save(model, folder)
            loaded = load(folder)
        else:
            loaded = _reloaded(model, folder, make)
        after = _output(loaded, inputs, method)
    for name, array in before.arrays.items():
        same = agree(after.arrays[name], array, tolerance_for(before.dtypes[name], rtol, atol))
        if not same.all():
            raise AssertionError(
                f"roundtrip: {int((~same).sum()):,} of {same.size:,} outputs differ after saving and loading, by up to "
                f"{_gap(after.arrays[name], array)}. Usual causes: a tensor that is neither parameter nor buffer "
                "(register_buffer), a scaler or a list of labels that is not saved with the model, weights of "
                "another epoch, a lower precision on disk."
            )


# ---- outputs ----


def _output(model: Any, inputs: Any, method: str | None) -> Output:
    return output_of(call(model, inputs, method=method))


def _single(model: Any, inputs: Any, place: int, method: str | None, check: str) -> Output:
    try:
        return _output(model, rows(inputs, place, place + 1), method)
    except Exception as error:  # whatever a model raises for one sample that it did not raise for all of them
        raise AssertionError(
            f"{check}: all samples together pass, but sample {place} alone raises {type(error).__name__}: {error}. "
            "Usual causes: BatchNorm that uses the batch's own statistics, squeeze() without an axis, a fixed batch "
            "size."
        ) from error


def _require_declared(
    array: AnyArray,
    given: str,
    place: str,
    *,
    shape: tuple[int | str, ...] | None,
    dtype: str | None,
    range: tuple[float | None, float | None] | None,
) -> None:
    sentences = [problem.sentence for problem in Array(shape, range=range).problems(array)]
    if dtype is not None and dtype != given:
        sentences += [problem.sentence for problem in Array(dtype=dtype).problems(array)]
    if sentences:
        raise AssertionError(f"forward: {place} {sentences[0]}")


def _require_meaning(array: AnyArray, outputs: str, place: str) -> None:
    sums = array.sum(axis=-1)
    is_distribution = bool(np.allclose(sums, 1, atol=1e-3) and (array >= 0).all() and (array <= 1 + 1e-6).all())
    if outputs == "logits" and is_distribution:
        raise AssertionError(
            f"forward: {place} is to be logits, but every row lies in 0 to 1 and sums up to 1: these are "
            "probabilities. A loss that takes logits (cross_entropy) applies softmax once more, and learns badly."
        )
    if outputs == "probabilities" and not is_distribution:
        raise AssertionError(
            f"forward: {place} is to be probabilities, but rows sum up to {number(sums.min())} … {number(sums.max())} "
            f"with values from {number(array.min())} to {number(array.max())}. Is the softmax missing, or over "
            "another axis?"
        )


def _gap(one: AnyArray, other: AnyArray) -> str:
    if one.shape != other.shape:
        return f"their shapes, {one.shape} and {other.shape}"
    if one.dtype.kind not in "fiub":
        return "their values"
    return number(float(np.nanmax(np.abs(one.astype(float) - other.astype(float)), initial=0.0)))


def _short(array: AnyArray) -> str:
    flat = np.atleast_1d(array).ravel()
    shown = [number(float(each)) if flat.dtype.kind in "fiub" else repr(each.item()) for each in flat[:4]]
    return f"[{listed(shown, 4)}{', …' if len(flat) > 4 else ''}]" if len(flat) > 1 else shown[0]


# ---- learning ----


def _check_gradients(
    model: Any, inputs: Any, targets: Any, loss: Callable[..., Any] | None, frozen: Sequence[str]
) -> None:
    kept = {name: each.grad for name, each in model.named_parameters()}
    model.zero_grad(set_to_none=True)
    try:
        with in_mode(model, is_training=True):
            _loss_of(model, inputs, targets, loss).backward()
        found = {name: each.grad for name, each in model.named_parameters()}
        grads = {name: None if grad is None else as_array(grad).array for name, grad in found.items()}
    finally:
        for name, each in model.named_parameters():
            each.grad = kept[name]
    meant = [name for name in grads if not any(fnmatchcase(name, pattern) for pattern in frozen)]
    unmatched = [pattern for pattern in frozen if not any(fnmatchcase(name, pattern) for name in grads)]
    if unmatched:
        raise AssertionError(
            f"gradients: frozen={unmatched[0]!r} matches no parameter; there are {listed(list(grads))}."
        )
    none = [name for name in meant if grads[name] is None]
    if none:
        raise AssertionError(
            f"gradients: {len(none)} of {len(grads)} parameters got none: {listed(none)} (frozen on purpose? pass "
            f'frozen="{_pattern(none)}"). Usual causes: requires_grad=False, a part that forward() does not use, '
            "detach(), no_grad() or .data on the way."
        )
    zero = [name for name in meant if not np.any(grads[name])]
    if zero:
        raise AssertionError(
            f"gradients: {len(zero)} of {len(grads)} parameters got nothing but zeros: {listed(zero)}. Usual causes: a "
            "ReLU that is dead for these inputs, a factor of 0, a loss that does not depend on them."
        )
    wild = [name for name in meant if not np.isfinite(np.asarray(grads[name])).all()]
    if wild:
        raise AssertionError(
            f"gradients: {len(wild)} of {len(grads)} parameters got NaN or infinity: {listed(wild)}. Usual causes: "
            "log(0), division by 0, sqrt at 0, inputs that are not finite."
        )
    moved = [name for name, grad in grads.items() if name not in meant and grad is not None and np.any(grad)]
    if moved:
        raise AssertionError(
            f"gradients: {len(moved)} of {len(grads)} parameters are to be frozen, but got gradients: {listed(moved)}. "
            "Set requires_grad_(False) on them."
        )


def _loss_of(model: Any, inputs: Any, targets: Any, loss: Callable[..., Any] | None) -> Any:
    torch = sys.modules["torch"]
    output = model(on_device(model, inputs))
    if loss is None:
        value = output.float().pow(2).mean()
    else:
        value = loss(output) if targets is None else loss(output, on_device(model, targets))
    if not isinstance(value, torch.Tensor) or value.grad_fn is None:
        raise AssertionError(
            "gradients: the loss hangs on no parameter, so nothing can be learnt. Usual causes: every parameter is "
            "frozen, forward() runs under no_grad() or inference_mode(), detach() or item() before backward()."
        )
    return value


def _check_coefficients(model: Any, inputs: Any, targets: Any, frozen: Sequence[str]) -> None:
    learner = copy.deepcopy(model)
    if not _coefficients(learner):
        learner.partial_fit(inputs, targets, **_classes(learner, targets))
    before = {name: array.copy() for name, array in _coefficients(learner).items()}
    learner.partial_fit(inputs, targets)
    after = _coefficients(learner)
    still = [name for name in before if np.array_equal(before[name], after[name])]
    still = [name for name in still if not any(fnmatchcase(name, pattern) for pattern in frozen)]
    if still or not before:
        raise AssertionError(
            f"gradients: {len(still)} of {len(before)} coefficients did not move in a step of partial_fit: "
            f"{listed(still)}. Usual causes: a learning rate of 0, inputs that are all 0, warm_start with "
            "frozen layers."
        )


def _coefficients(model: Any) -> dict[str, AnyArray]:
    found: dict[str, AnyArray] = {}
    for name in ("coef_", "intercept_", "coefs_", "intercepts_"):
        value = getattr(model, name, None)
        if isinstance(value, list):
            found |= {f"{name}[{place}]": each for place, each in enumerate(value)}
        elif value is not None:
            found[name] = np.asarray(value)
    return found


def _classes(model: Any, targets: Any) -> dict[str, AnyArray]:
    return {"classes": np.unique(targets)} if getattr(model, "_estimator_type", "classifier") == "classifier" else {}


def _pattern(names: Sequence[str]) -> str:
    """A wildcard for these names, or the one name."""
    if len(names) == 1:
        return names[0]
    shared = names[0].split(".")
    for name in names[1:]:
        parts = name.split(".")
        shared = (
            [one for one, other in zip(shared, parts, strict=False) if one == other] if parts[0] == shared[0] else []
        )
        if not shared:
            return names[0]
    return ".".join(shared) + ".*"


# ---- saving and loading ----


def _reloaded(model: Any, folder: Path, make: Callable[[], Any] | None) -> Any:
    from runyard.tracking.models import load_model, save_model  # late: only this check saves anything

    save_model(model, folder)
    if not is_module(model):
        trusted = [f"{type(model).__module__}.{type(model).__qualname__}"] if is_estimator(model) else []
        return load_model(folder, trusted=trusted)
    fresh = make() if make is not None else _forgetful(model)
    return load_model(folder, into=fresh)


def _forgetful(model: Any) -> Any:
    """A copy whose weights, and whatever else it holds in tensors, say nothing any more."""
    torch = sys.modules["torch"]
    fresh = copy.deepcopy(model)
    with torch.no_grad():
        for part in fresh.modules():
            for name, value in list(vars(part).items()):  # what is neither parameter nor buffer is not saved
                if isinstance(value, torch.Tensor):
                    setattr(part, name, torch.zeros_like(value))
        for each in [*fresh.parameters(), *fresh.buffers()]:
            each.zero_()
    return fresh
