"""Optuna: a study is a run, its trials are the runs below it.

from runyard.integrations.optuna import RunyardCallback

study.optimize(objective, n_trials=100, callbacks=[RunyardCallback()])
"""

from typing import Any

import optuna

from runyard.integrations.following import the_run
from runyard.tracking import Run, current_run, start_run
from runyard.tracking.settings import plain


class RunyardCallback:
    """Logs each trial as a child of the run, and the best value so far as a series of the run itself.

    A child has the trial's parameters as config, its value(s) and intermediate values as metrics, and ends as the trial
    did: pruned trials are tagged `pruned`, failed ones `failed`. When the run shall stop, the study does.
    """

    def __init__(self, run: Run | None = None, *, children: bool = True) -> None:
        """Log to `run`, or to the run that is open; without `children` only to the run itself."""
        self._given = run or current_run()  # now: trials in other threads open runs of their own
        self._children = children
        self._is_told = False

    def __call__(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        """What Optuna calls after each trial."""
        run = self._given = the_run(self._given, "RunyardCallback")
        shall_stop = run.should_stop  # read first: what is logged below would raise otherwise, and this trial be lost
        if not self._is_told:
            self._is_told = True
            run.configure({"optuna": {"study": study.study_name, **_goals(study)}})
        if self._children:
            self._log_child(run, study, trial)
        values = {f"trial/{name}": value for name, value in _values(study, trial).items()}
        best = _best_so_far(study)
        if best is not None:
            values["best/value"] = best
        run.log(values, step=trial.number)
        if shall_stop or run.should_stop:
            study.stop()

    def _log_child(self, run: Run, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        state = trial.state.name.lower()
        with start_run(
            run.project,
            config=plain(trial.params),
            name=f"{study.study_name} {trial.number}",
            tags=[] if state == "complete" else [state.replace("fail", "failed")],
            parent=run,
        ) as child:
            for step, value in sorted(trial.intermediate_values.items()):
                child.log({"intermediate": value}, step=step)
            child.log(_values(study, trial), step=max(trial.intermediate_values, default=0))


def _goals(study: optuna.Study) -> dict[str, Any]:
    return {"sampler": type(study.sampler).__name__, "direction": [each.name.lower() for each in study.directions]}


def _values(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> dict[str, float]:
    """The objective's values by name; none for a trial that did not complete."""
    if trial.values is None:
        return {}
    count = len(trial.values)
    names = study.metric_names or (["value"] if count == 1 else [f"value_{number}" for number in range(count)])
    return dict(zip(names, trial.values, strict=True))


def _best_so_far(study: optuna.Study) -> float | None:
    """None where there is no one best: several objectives, or no trial that completed."""
    try:
        return study.best_value
    except (RuntimeError, ValueError):
        return None
