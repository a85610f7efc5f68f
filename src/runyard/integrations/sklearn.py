"""scikit-learn: every `fit` tells what it was and what came of it.

from runyard.integrations.sklearn import autolog

autolog()                      # from here on; `with autolog(): …` for a part of a program
GridSearchCV(model, grid).fit(x, y)
"""

import functools
import threading
from collections.abc import Callable
from time import perf_counter
from types import TracebackType
from typing import Any, Self

import numpy as np
from sklearn import metrics
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.model_selection._search import BaseSearchCV

from runyard.errors import RunyardError
from runyard.tracking import Run, current_run, start_run
from runyard.tracking.complaints import say
from runyard.tracking.settings import plain

CHILDREN = 5
_TABLE_ROWS = 1_000


def autolog(run: Run | None = None, *, children: int = CHILDREN, keeps_model: bool = True) -> "Autolog":
    """Log every `fit` of an estimator that predicts, of scikit-learn and of whatever follows its rules.

    It goes to `run`, to the run that is open, or, where none is, to a run of its own that ends with the `fit`.
    Logged are the estimator and its parameters (section `sklearn` of the config), metrics on the training data
    (`train/…`), the model, and of a search the table of all candidates and the best of them as runs below it.
    Only the outermost `fit` counts, not those of the steps of a pipeline or the folds of a search; while one is
    under way, those of other threads are taken for parts of it. A stop request ends a search before its next fold,
    if that is fitted in this process (`n_jobs=1`), and anything else after its `fit`.

    Args:
        run: where to.
        children: how many candidates of a search become runs of their own, the best ones first.
        keeps_model: whether the fitted estimator is kept with the run.

    Returns:
        What turns it off again: `.stop()`, or the end of a `with`.
    """
    return Autolog(run, children=children, keeps_model=keeps_model)


class Autolog:
    """The switch that `autolog` turns on; at most one is on in a process, the latest."""

    def __init__(self, run: Run | None, *, children: int, keeps_model: bool) -> None:
        """Turn it on. See `autolog`."""
        global _active
        self._run = run
        self._children = children
        self._keeps_model = keeps_model
        _active = self
        _wrap_all()

    def stop(self) -> None:
        """Log no further `fit`."""
        global _active
        if _active is self:
            _active = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _exception: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()

    def heed_stop(self) -> None:
        """Raise StopRun if somebody stops the run: a search may go on for hours, and its folds are fitted here."""
        run = self._run or current_run()
        if run is not None:
            run.log({})

    def follow(self, estimator: Any, fit: Callable[[], Any], data: tuple[Any, Any]) -> Any:
        """Execute `fit`, and log it."""
        own = None
        run = self._run or current_run()
        if run is None:
            run = own = start_run(config={"sklearn": _described(estimator)}, name=type(estimator).__name__)
        else:
            run.configure({"sklearn": _described(estimator)})
        began = perf_counter()
        try:
            fitted = fit()
        except BaseException as problem:
            if own is not None:
                own.finish(problem)
            raise
        seconds = perf_counter() - began
        try:
            self._tell(run, estimator, data, seconds)
        except Exception as problem:  # a broken logging must not break the training
            say(f"{type(estimator).__name__} was fitted but could not be logged whole: {problem}")
        if own is not None:
            own.finish()
        return fitted

    def _tell(self, run: Run, estimator: Any, data: tuple[Any, Any], seconds: float) -> None:
        run.log({"fit/seconds": seconds})
        run.log(_scores(estimator, *data))
        if isinstance(estimator, BaseSearchCV):
            _tell_search(run, estimator, self._children)
        if self._keeps_model:
            try:
                run.save_model(getattr(estimator, "best_estimator_", estimator))
            except RunyardError as problem:  # types of one's own, or no skops
                say(f"the model was not kept: {problem}")


_active: Autolog | None = None
_depth = threading.Semaphore(1)  # held while a fit is logged, so that what it calls is not
_is_wrapped = False


def _wrap_all() -> None:
    """Wrap the `fit` of all estimators there are, and see to it that those to come are wrapped, too."""
    global _is_wrapped
    if _is_wrapped:
        return
    _is_wrapped = True
    follow = BaseEstimator.__init_subclass__.__func__

    def init_subclass(cls: type[Any], /, **more: Any) -> None:
        follow(cls, **more)
        _wrap(cls)

    BaseEstimator.__init_subclass__ = classmethod(init_subclass)
    waiting = [BaseEstimator]
    while waiting:
        found = waiting.pop()
        _wrap(found)
        waiting += type.__subclasses__(found)


def _wrap(cls: type) -> None:
    fit = cls.__dict__.get("fit")
    if not callable(fit) or hasattr(fit, "_runyard"):
        return

    @functools.wraps(fit)
    def logged(self: Any, X: Any, *args: Any, **named: Any) -> Any:  # scikit-learn passes it by name
        active = _active
        if active is None or not hasattr(self, "predict"):
            return fit(self, X, *args, **named)
        if not _depth.acquire(blocking=False):
            active.heed_stop()
            return fit(self, X, *args, **named)
        try:
            target = args[0] if args else named.get("y")
            return active.follow(self, lambda: fit(self, X, *args, **named), (X, target))
        finally:
            _depth.release()

    logged._runyard = True  # type: ignore[attr-defined]  # a mark on our own function
    cls.fit = logged  # type: ignore[attr-defined]  # it has one


# ---- what is told ----


def _described(estimator: Any) -> dict[str, Any]:
    """The estimator's class and parameters, those of its parts below them."""
    found: dict[str, Any] = {"class": type(estimator).__name__}
    for name, value in estimator.get_params(deep=False).items():
        found[name] = _value(value)
    return found


def _value(value: Any) -> Any:
    if hasattr(value, "get_params") and not isinstance(value, type):
        return _described(value)
    if isinstance(value, list | tuple) and any(isinstance(entry, tuple) for entry in value):  # the steps of a pipeline
        return {str(entry[0]): _value(entry[1]) for entry in value if isinstance(entry, tuple) and len(entry) > 1}
    return plain(value)


def _scores(estimator: Any, x: Any, y: Any) -> dict[str, float]:
    """Metrics on the training data: those that people ask for first."""
    if y is None:
        return {}
    if is_classifier(estimator):
        predicted = estimator.predict(x)
        return {
            "train/accuracy": metrics.accuracy_score(y, predicted),
            "train/f1": metrics.f1_score(y, predicted, average="weighted"),
        }
    if is_regressor(estimator):
        predicted = estimator.predict(x)
        return {
            "train/r2": metrics.r2_score(y, predicted),
            "train/mae": metrics.mean_absolute_error(y, predicted),
            "train/rmse": metrics.root_mean_squared_error(y, predicted),
        }
    return {}


def _tell_search(run: Run, search: Any, children: int) -> None:
    results = search.cv_results_
    candidates = len(results["params"])
    metric = f"mean_test_{search.refit}" if isinstance(search.refit, str) else "mean_test_score"
    scores = results.get(metric, next(values for name, values in results.items() if name.startswith("mean_test_")))
    for number in range(candidates):
        run.log({"search/score": scores[number]}, step=number)
    if hasattr(search, "best_index_"):
        run.log({"search/best_score": scores[search.best_index_]})
        run.configure({"sklearn": {"best": plain(results["params"][search.best_index_])}})
    shown = [name for name in results if name.startswith(("mean_", "std_", "rank_"))]
    best_first = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")
    run.log_table(
        "search/candidates",
        [
            {**plain(results["params"][number]), **{name: float(results[name][number]) for name in shown}}
            for number in best_first[:_TABLE_ROWS]
        ],
    )
    for number in best_first[:children]:
        _tell_candidate(run, search, int(number))


def _tell_candidate(run: Run, search: Any, number: int) -> None:
    results = search.cv_results_
    name = f"{type(search).__name__} {number}"
    with start_run(run.project, config=plain(results["params"][number]), name=name, parent=run) as child:
        for fold in range(search.n_splits_):
            found = {
                key.removeprefix(f"split{fold}_"): values[number]
                for key, values in results.items()
                if key.startswith(f"split{fold}_")
            }
            child.log({f"fold/{key}": value for key, value in found.items()}, step=fold)
        child.log({key: results[key][number] for key in results if key.startswith(("mean_", "std_"))})
