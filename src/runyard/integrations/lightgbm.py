"""LightGBM, its own interface and that of scikit-learn.

    from runyard.integrations.lightgbm import RunyardCallback

    booster = lightgbm.train(params, data, valid_sets=[data, held_out], callbacks=[RunyardCallback()])
    run.save_model(booster)

The model is kept by the line after the training: a callback does not learn that another one ended it early.
"""

from lightgbm.callback import CallbackEnv, EarlyStopException

from runyard.integrations.following import the_run
from runyard.tracking import Run
from runyard.tracking.settings import plain


class RunyardCallback:
    """Logs the evaluations of each round, and ends the training when the run shall stop.

    Metrics are `<set>/<metric>`, with LightGBM's names of the sets (`training`, `valid_1` … unless `valid_names`
    gives others); the step is the round.
    """

    order = 20  # before early stopping, which is 30 and may raise
    before_iteration = False

    def __init__(self, run: Run | None = None) -> None:
        """Log to `run`, or to the run that is open when the training begins."""
        self._given = run

    def __call__(self, env: CallbackEnv) -> None:
        """What LightGBM calls after each round."""
        run = the_run(self._given, "RunyardCallback")
        if env.iteration == env.begin_iteration:
            run.configure({"lightgbm": plain(env.params)})
        found: dict[str, float] = {}
        for of, metric, value, _, *spread in env.evaluation_result_list or ():
            found[f"{of}/{metric}"] = value
            if spread:  # over the folds of `lightgbm.cv`
                found[f"{of}/{metric}_std"] = spread[0]
        run.log(found, step=env.iteration)
        if run.should_stop:
            raise EarlyStopException(env.iteration, env.evaluation_result_list or [])
