"""What logs for LightGBM, with LightGBM."""

from pathlib import Path

import pytest

from tests.integrations.scripts import needs, run_script

needs("lightgbm")
IMPORTS = ("lightgbm",)
pytestmark = [pytest.mark.slow]

DATA = """
import os, signal, lightgbm, numpy as np, runyard
from runyard.integrations.lightgbm import RunyardCallback
rng = np.random.default_rng(0)
x = rng.normal(size=(200, 5)); y = (x[:, 0] + x[:, 1] > 0).astype(int)
train = lightgbm.Dataset(x[:150], y[:150]); val = lightgbm.Dataset(x[150:], y[150:], reference=train)
run = runyard.start_run("weld")
"""


def test_rounds_and_settings_are_logged_until_another_callback_ends_it(tmp_path: Path) -> None:
    (run,) = run_script(
        tmp_path,
        imports=IMPORTS,
        program=DATA
        + """
booster = lightgbm.train(
    {"objective": "binary", "num_leaves": 7, "verbose": -1}, train, 500, valid_sets=[train, val],
    valid_names=["train", "val"], callbacks=[lightgbm.early_stopping(3, verbose=False), RunyardCallback()],
)
run.save_model(booster)
run.log({"best": booster.best_iteration})
from runyard import load_model
from runyard.tracking.models import save_model
save_model(booster, "model")
np.testing.assert_allclose(load_model("model").predict(x), booster.predict(x))
""",
    )

    assert run.state == "COMPLETED"
    rounds = len(run.series("val/binary_logloss").values)
    assert rounds == run.summary["best"].last + 3
    assert rounds < 500
    assert run.config["lightgbm"]["num_leaves"] == 7
    assert "model/model.txt" in {file.name for file in run.artifacts()}


def test_folds_are_logged_by_mean_and_deviation(tmp_path: Path) -> None:
    (run,) = run_script(
        tmp_path,
        imports=IMPORTS,
        program=DATA
        + "lightgbm.cv({'objective': 'binary', 'verbose': -1}, train, 3, nfold=3, callbacks=[RunyardCallback()])",
    )

    assert {"valid/binary_logloss", "valid/binary_logloss_std"} <= set(run.summary)


def test_a_signal_ends_the_training_after_the_round(tmp_path: Path) -> None:
    (run,) = run_script(
        tmp_path,
        imports=IMPORTS,
        program=DATA
        + """
def stopper(env):
    if env.iteration == 2:
        os.kill(os.getpid(), signal.SIGTERM)
stopper.before_iteration = True
stopper.order = 0
lightgbm.train({"verbose": -1}, train, 1000, valid_sets=[val], callbacks=[stopper, RunyardCallback()])
""",
    )

    assert run.state == "INTERRUPTED"
    assert len(run.series("valid_0/l2").values) == 3
