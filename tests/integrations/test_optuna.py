"""What logs for Optuna, with Optuna."""

from pathlib import Path

import pytest

from tests.integrations.scripts import needs, run_script

needs("optuna")
IMPORTS = ("optuna",)
pytestmark = [pytest.mark.slow]

STUDY = """
import os, signal, optuna, runyard
from runyard.integrations.optuna import RunyardCallback
optuna.logging.set_verbosity(optuna.logging.ERROR)
run = runyard.start_run("weld", name="the study")
study = optuna.create_study(
    study_name="lr", sampler=optuna.samplers.RandomSampler(seed=0), pruner=optuna.pruners.NopPruner()
)
"""


def test_trials_are_runs_below_that_of_the_study(tmp_path: Path) -> None:
    found = run_script(
        tmp_path,
        imports=IMPORTS,
        program=STUDY
        + """
def objective(trial):
    lr = trial.suggest_float("lr", 1e-4, 1e-1, log=True)
    kind = trial.suggest_categorical("kind", ["adam", "sgd"])
    trial.report(lr * 2, 0)
    if trial.number == 1:
        raise optuna.TrialPruned
    return lr
study.optimize(objective, n_trials=3, callbacks=[RunyardCallback()])
run.finish()
""",
    )

    study, *trials = found
    assert study.name == "the study"
    assert study.config["optuna"] == {"study": "lr", "sampler": "RandomSampler", "direction": ["minimize"]}
    assert list(study.series("best/value").steps) == [0, 1, 2]
    assert [trial.name for trial in trials] == ["lr 0", "lr 1", "lr 2"]
    assert {trial.row.parent for trial in trials} == {study.id}
    assert {trial.state for trial in found} == {"COMPLETED"}
    assert [trial.tags for trial in trials] == [(), ("pruned",), ()]
    assert trials[0].config["kind"] in ("adam", "sgd")
    assert trials[0].summary["value"].last == trials[0].config["lr"]
    assert trials[1].summary["intermediate"].last == 2 * trials[1].config["lr"]


def test_a_signal_ends_the_study_after_the_trial(tmp_path: Path) -> None:
    (run,) = run_script(
        tmp_path,
        imports=IMPORTS,
        program=STUDY
        + """
def objective(trial):
    if trial.number == 2:
        os.kill(os.getpid(), signal.SIGTERM)
    return trial.suggest_float("x", 0, 1)
study.optimize(objective, n_trials=50, callbacks=[RunyardCallback(children=False)])
run.finish()
""",
    )

    assert run.state == "INTERRUPTED"
    assert len(run.series("trial/value").values) == 3
