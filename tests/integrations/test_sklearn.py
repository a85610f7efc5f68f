"""What logs for scikit-learn, with scikit-learn."""

from pathlib import Path

import pytest

from tests.integrations.scripts import needs, run_script

needs("sklearn", "skops")
IMPORTS = ("sklearn.datasets", "sklearn.model_selection", "skops.io")
pytestmark = [pytest.mark.slow]

DATA = """
import numpy as np, runyard
from runyard.integrations.sklearn import autolog
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
x, y = load_iris(return_X_y=True)
autolog()
"""


def test_a_fit_without_a_run_is_a_run_of_its_own(tmp_path: Path) -> None:
    first, second = run_script(
        tmp_path,
        imports=IMPORTS,
        program=DATA
        + """
StandardScaler().fit(x)                                   # predicts nothing
make_pipeline(StandardScaler(), LogisticRegression(C=0.5)).fit(x, y)
try:
    Ridge(alpha=-1).fit(x, y)
except ValueError:
    pass
with autolog() as log:
    pass
Ridge().fit(x, y)                                         # it is off
""",
    )

    assert (first.name, first.state) == ("Pipeline", "COMPLETED")
    assert first.config["sklearn"]["class"] == "Pipeline"
    assert first.config["sklearn"]["steps"]["logisticregression"]["C"] == 0.5
    assert first.summary["train/accuracy"].last > 0.9
    assert "model/model.skops" in {file.name for file in first.artifacts()}
    assert (second.name, second.state) == ("Ridge", "FAILED")


def test_the_candidates_of_a_search_are_runs_below_it(tmp_path: Path) -> None:
    search, *candidates = run_script(
        tmp_path,
        imports=IMPORTS,
        program=DATA
        + """
with runyard.start_run("iris", name="which C"):
    GridSearchCV(SVC(), {"C": [0.01, 1, 10], "kernel": ["rbf", "linear"]}, cv=3).fit(x, y)
""",
    )

    assert (search.name, search.state) == ("which C", "COMPLETED")
    assert search.config["sklearn"]["class"] == "GridSearchCV"
    assert search.config["sklearn"]["param_grid"] == {"C": [0.01, 1, 10], "kernel": ["rbf", "linear"]}
    assert len(search.series("search/score").values) == 6
    assert search.summary["search/best_score"].last == max(search.series("search/score").values)
    ((_, table),) = search.media("search/candidates")
    assert table.kind == "table"
    assert len(candidates) == 5
    assert {run.row.parent for run in candidates} == {search.id}
    assert candidates[0].summary["mean_test_score"].last == search.summary["search/best_score"].last
    assert candidates[0].config["C"] == search.config["sklearn"]["best"]["C"]
    assert len(candidates[0].series("fold/test_score").values) == 3


def test_a_signal_ends_a_search_before_its_next_fold(tmp_path: Path) -> None:
    (run,) = run_script(
        tmp_path,
        imports=IMPORTS,
        program=DATA
        + """
import os, signal
n_fits = 0
class Slow(LogisticRegression):
    def fit(self, X, y):
        global n_fits
        n_fits += 1
        os.kill(os.getpid(), signal.SIGTERM)
        return super().fit(X, y)
run = runyard.start_run("iris")
try:
    GridSearchCV(Slow(), {"C": [0.01, 1, 10]}, cv=3).fit(x, y)
except runyard.StopRun as asked:
    assert n_fits == 1
    run.finish(asked)
""",
    )

    assert run.state == "INTERRUPTED"
    assert run.config["sklearn"]["class"] == "GridSearchCV"
    assert "search/score" not in run.summary
