"""Keras 3, with any backend.

from runyard.integrations.keras import RunyardCallback

model.fit(x, y, epochs=20, validation_data=held_out, callbacks=[RunyardCallback()])
"""

from pathlib import Path
from typing import Any

import keras

from runyard.integrations.following import Best, Goal, the_run
from runyard.tracking import Run
from runyard.tracking.settings import plain

BEST_FILE = "best.keras"


class RunyardCallback(keras.callbacks.Callback):
    """Logs what `fit` tells, keeps the best model, and ends the training when the run shall stop.

    Metrics of an epoch are `train/…` and `val/…`, those of a batch `batch/…` (running means since the epoch began, as
    Keras has them); their step is the number of batches so far, and `epoch` is logged beside them, so that charts
    can be drawn along either.
    """

    def __init__(
        self,
        run: Run | None = None,
        *,
        every_batches: int = 10,
        monitor: str = "val/loss",
        goal: Goal = "auto",
        keeps_model: bool = True,
    ) -> None:
        """Log to `run`, or to the run that is open when the training begins.

        Args:
            run: None is the open one.
            every_batches: how often the metrics of a batch are logged; 0 is never.
            monitor: the metric that says which epoch is best; where it is missing (no validation data), the last
                epoch is.
            goal: which way is better; "auto" goes by the name.
            keeps_model: whether the best model is written to the run's checkpoints, and kept with the run at the end.
        """
        super().__init__()
        self._given = run
        self._every_batches = every_batches
        self._best = Best(monitor, goal)
        self._keeps_model = keeps_model
        self._batches = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Tell how the model is trained."""
        optimizer = self.model.optimizer
        self._batches = int(optimizer.iterations)  # above 0 where a training goes on
        self._run.configure(
            {
                "keras": {
                    "backend": keras.backend.backend(),
                    "epochs": self.params.get("epochs"),
                    "batches_per_epoch": self.params.get("steps"),
                    "parameters": self.model.count_params(),
                    "optimizer": plain(optimizer.get_config()),
                }
            }
        )

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Log a batch, and stop where that was asked for."""
        if self._every_batches and self._batches % self._every_batches == 0 and logs:
            self._run.log({f"batch/{name}": value for name, value in logs.items()}, step=self._batches)
        self._batches += 1
        if self._run.should_stop:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Log an epoch, and keep the model if it is the best so far."""
        metrics = {_name(name): float(value) for name, value in (logs or {}).items()}
        rate = self.model.optimizer.learning_rate
        self._run.log({**metrics, "train/lr": float(rate), "epoch": epoch}, step=self._batches)
        is_best = self._best.improves(metrics.get(self._best.key))
        if self._keeps_model and (is_best or self._best.key not in metrics):
            draft = self._best_file.with_name(f"new-{BEST_FILE}")
            self.model.save(draft)
            draft.replace(self._best_file)  # whole or not at all

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Keep the best model with the run."""
        if self._keeps_model and self._best_file.exists():
            self._run.save_model(keras.saving.load_model(self._best_file, compile=False))

    @property
    def _run(self) -> Run:
        return the_run(self._given, "RunyardCallback")

    @property
    def _best_file(self) -> Path:
        return self._run.checkpoint_dir / BEST_FILE


def _name(name: str) -> str:
    return f"val/{name.removeprefix('val_')}" if name.startswith("val_") else f"train/{name}"
