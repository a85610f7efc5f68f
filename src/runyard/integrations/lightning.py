"""Lightning, under either of its names.

from runyard.integrations.lightning import RunyardLogger, StopWhenAsked

trainer = Trainer(logger=RunyardLogger(), callbacks=[StopWhenAsked()])
"""

from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

try:
    from lightning.pytorch.callbacks import Callback
    from lightning.pytorch.loggers.logger import Logger, rank_zero_experiment
    from lightning.pytorch.utilities import rank_zero_only
except ModuleNotFoundError:  # the older name of the same package
    from pytorch_lightning.callbacks import Callback
    from pytorch_lightning.loggers.logger import Logger, rank_zero_experiment
    from pytorch_lightning.utilities import rank_zero_only

from runyard.integrations.following import the_run
from runyard.tracking import Run
from runyard.tracking.settings import plain


class RunyardLogger(Logger):
    """What `self.log` says goes to the run, under the same names; checkpoints go where a resumed run finds them.

    The process of rank 0 logs for all. When the training ends, the best checkpoint is kept with the run, as
    `checkpoints/<its name>`.
    """

    def __init__(self, run: Run | None = None, *, keeps_best: bool = True) -> None:
        """Log to `run`, or to the run that is open.

        `keeps_best` says whether the best checkpoint of the trainer's ModelCheckpoint is kept with the run.
        """
        super().__init__()
        self._given = run
        self._keeps_best = keeps_best
        self._best: Path | None = None

    @property
    @rank_zero_experiment
    def experiment(self) -> Run:
        """The run."""
        return the_run(self._given, "RunyardLogger")

    @property
    def name(self) -> str:
        """Part of the path of checkpoints: none, since they are the run's own already."""
        return ""

    @property
    def version(self) -> str:
        """Part of the path of checkpoints, as is `name`."""
        return ""

    @property
    def save_dir(self) -> str:
        """The run's folder for checkpoints."""
        return str(the_run(self._given, "RunyardLogger").checkpoint_dir)

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """Keep what `save_hyperparameters` saved, in the section `lightning` of the run's config."""
        settings = params if isinstance(params, Mapping) else vars(params)
        self.experiment.configure({"lightning": plain(settings)})

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log the metrics at the trainer's step; Lightning puts `epoch` among them."""
        self.experiment.log(metrics, step=step)

    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Remember which checkpoint is the best one."""
        path = checkpoint_callback.best_model_path or checkpoint_callback.last_model_path
        self._best = Path(path) if path else self._best

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Keep the best checkpoint with the run, which goes on: its end is told by whoever began it."""
        if self._keeps_best and self._best is not None and self._best.exists():
            self.experiment.log_artifact(self._best, f"checkpoints/{self._best.name}")


class StopWhenAsked(Callback):
    """Ends the training after the current batch when somebody stops the run."""

    def __init__(self, run: Run | None = None) -> None:
        """Watch `run`, or the run that is open."""
        self._given = run

    def on_train_batch_end(self, trainer: Any, *_: Any, **__: Any) -> None:
        """Look whether the run shall stop; on all ranks, since each gets the signal."""
        if the_run(self._given, "StopWhenAsked").should_stop:
            trainer.should_stop = True
