"""What logs for XGBoost, with XGBoost."""

from pathlib import Path

import pytest

from tests.integrations.scripts import needs, run_script

needs("xgboost")
IMPORTS = ("xgboost",)
pytestmark = [pytest.mark.slow]

DATA = """
import os, signal, numpy as np, runyard, xgboost
from runyard.integrations.xgboost import RunyardCallback
rng = np.random.default_rng(0)
x = rng.normal(size=(200, 5)); y = (x[:, 0] + x[:, 1] > 0).astype(int)
train, val = xgboost.DMatrix(x[:150], y[:150]), xgboost.DMatrix(x[150:], y[150:])
run = runyard.start_run("weld")
"""


def test_rounds_settings_importance_and_the_booster_are_kept(tmp_path: Path) -> None:
    (run,) = run_script(
        tmp_path,
        imports=IMPORTS,
        program=DATA
        + """
sets = [(train, "train"), (val, "val")]
booster = xgboost.train(
    {"max_depth": 3, "objective": "binary:logistic", "eval_metric": ["logloss", "auc"]},
    train, 6, evals=sets, verbose_eval=False, callbacks=[RunyardCallback()],
)
from runyard import load_model
from runyard.tracking.models import save_model
save_model(booster, "model")
np.testing.assert_array_equal(load_model("model").predict(val), booster.predict(val))
""",
    )

    assert run.state == "COMPLETED"
    assert list(run.series("val/logloss").steps) == list(range(6))
    assert {"train/logloss", "train/auc", "val/auc"} <= set(run.summary)
    assert run.config["xgboost"]["max_depth"] == 3
    assert run.config["xgboost"]["objective"] == "binary:logistic"
    assert "model/model.ubj" in {file.name for file in run.artifacts()}
    assert [row.key for row, _ in run.media()] == ["importance"]


def test_the_interface_of_scikit_learn_is_logged_too(tmp_path: Path) -> None:
    (run,) = run_script(
        tmp_path,
        imports=IMPORTS,
        program=DATA
        + """
model = xgboost.XGBClassifier(n_estimators=4, callbacks=[RunyardCallback()])
model.fit(x[:150], y[:150], eval_set=[(x[150:], y[150:])], verbose=False)
""",
    )

    assert len(run.series("validation_0/logloss").values) == 4


def test_folds_are_logged_by_mean_and_deviation(tmp_path: Path) -> None:
    (run,) = run_script(
        tmp_path,
        imports=IMPORTS,
        program=DATA + "xgboost.cv({'objective': 'binary:logistic'}, train, 3, nfold=3, callbacks=[RunyardCallback()])",
    )

    assert {"test/logloss", "test/logloss_std", "train/logloss"} <= set(run.summary)


def test_a_signal_ends_the_training_after_the_round(tmp_path: Path) -> None:
    (run,) = run_script(
        tmp_path,
        imports=IMPORTS,
        program=DATA
        + """
class Stopper(xgboost.callback.TrainingCallback):
    def before_iteration(self, model, epoch, evals_log):
        if epoch == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return False
xgboost.train({}, train, 1000, evals=[(val, "val")], verbose_eval=False, callbacks=[Stopper(), RunyardCallback()])
""",
    )

    assert run.state == "INTERRUPTED"
    assert len(run.series("val/rmse").values) == 3
