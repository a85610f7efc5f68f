"""XGBoost, its own interface and that of scikit-learn.

from runyard.integrations.xgboost import RunyardCallback

xgboost.train(params, data, evals=[(data, "train"), (held_out, "val")], callbacks=[RunyardCallback()])
xgboost.XGBClassifier(callbacks=[RunyardCallback()]).fit(x, y, eval_set=[(x, y), (x_val, y_val)])
"""

import json
from typing import Any

import xgboost

from runyard.integrations.following import the_run
from runyard.tracking import Run


class RunyardCallback(xgboost.callback.TrainingCallback):
    """Logs the evaluations of each round, keeps the booster, and ends the training when the run shall stop.

    Metrics are `<set>/<metric>`, with the names given in `evals` (`validation_0` … where scikit-learn's interface
    gives none); the step is the round.
    """

    def __init__(self, run: Run | None = None, *, keeps_model: bool = True) -> None:
        """Log to `run`, or to the run that is open when the training begins.

        `keeps_model` says whether the booster is kept with the run.
        """
        super().__init__()
        self._given = run
        self._keeps_model = keeps_model

    def before_training(self, model: Any) -> Any:
        """Tell the booster's settings."""
        self._run.configure({"xgboost": _settings(model)})
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: dict[str, dict[str, Any]]) -> bool:
        """Log a round; True ends the training."""
        found: dict[str, float] = {}
        for of, metrics in evals_log.items():
            for metric, values in metrics.items():
                latest = values[-1]
                if isinstance(latest, tuple):  # mean and deviation over the folds of `xgboost.cv`
                    found[f"{of}/{metric}"], found[f"{of}/{metric}_std"] = latest
                else:
                    found[f"{of}/{metric}"] = latest
        self._run.log(found, step=epoch)
        return self._run.should_stop

    def after_training(self, model: Any) -> Any:
        """Keep the booster, and what it made of the features."""
        if not isinstance(model, xgboost.Booster):  # the folds of `xgboost.cv`
            return model
        gains = model.get_score(importance_type="gain")
        if gains:
            ranked = sorted(gains.items(), key=lambda item: -item[1])
            self._run.log_table("importance", [{"feature": name, "gain": gain} for name, gain in ranked])
        if self._keeps_model:
            self._run.save_model(model)
        return model

    @property
    def _run(self) -> Run:
        return the_run(self._given, "RunyardCallback")


def _settings(model: Any) -> dict[str, Any]:
    """What is known of a booster before its first round, by the names under which one sets it."""
    if not isinstance(model, xgboost.Booster):
        return {}
    learner = json.loads(model.save_config())["learner"]
    found: dict[str, Any] = {"objective": learner["objective"]["name"], "booster": learner["gradient_booster"]["name"]}
    for section in ("tree_train_param", "linear_train_param"):
        found |= {name: _number(text) for name, text in learner["gradient_booster"].get(section, {}).items()}
    return found


def _number(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
