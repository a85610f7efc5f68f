"""Transformers: a callback for its Trainer.

from runyard.integrations.transformers import RunyardCallback

trainer = Trainer(model, args, train_dataset=…, callbacks=[RunyardCallback()])
"""

import dataclasses
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from runyard.integrations.following import the_run
from runyard.tracking import Run
from runyard.tracking.settings import plain

_SECTIONS = ("eval", "test")  # what Trainer puts before the names of metrics; without one it is the training


class RunyardCallback(TrainerCallback):
    """Logs what the Trainer logs, keeps its model, and ends the training when the run shall stop.

    Metrics are `train/…` and `eval/…` at the Trainer's global step, with `epoch` beside them; what it tells of the
    whole training at its end is `overall/…`. Only the process of rank 0 logs.
    """

    def __init__(self, run: Run | None = None, *, keeps_model: bool = True) -> None:
        """Log to `run`, or to the run that is open when the training begins.

        `keeps_model` says whether weights and config of the model (the best one, if the Trainer loads it at the end)
        are kept with the run, as `model/…`.
        """
        self._given = run
        self._keeps_model = keeps_model

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Tell how the model is trained: what differs from the Trainer's defaults, and the model's own config."""
        if state.is_world_process_zero:
            model = more.get("model")
            described = {"trainer": plain(_changed(args))}
            if model is not None:
                described["model"] = plain(model.config.to_diff_dict()) if hasattr(model, "config") else {}
                described["trainer"]["parameters"] = sum(each.numel() for each in model.parameters())
            self._run.configure({"transformers": described})

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """Log what the Trainer tells."""
        if state.is_world_process_zero and logs:
            numbers = {_name(name): value for name, value in logs.items() if isinstance(value, int | float)}
            self._run.log({**numbers, "epoch": state.epoch or 0.0}, step=state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop where that was asked for, and keep a checkpoint to go on from."""
        if self._run.should_stop:
            control.should_save = True
            control.should_training_stop = True

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Keep the model with the run."""
        model = more.get("model")
        if state.is_world_process_zero and self._keeps_model and model is not None:
            folder = Path(self._run.checkpoint_dir) / "model"
            model.save_pretrained(folder)  # safetensors
            self._run.log_artifact(folder, "model")

    @property
    def _run(self) -> Run:
        return the_run(self._given, "RunyardCallback")


def _changed(args: Any) -> dict[str, Any]:
    """The training arguments that are not the defaults, and the three that one always wants to see."""
    always = ("learning_rate", "num_train_epochs", "per_device_train_batch_size")
    values = args.to_dict()  # not the defaults' own: making them resets the devices of the process
    return {
        each.name: values[each.name]
        for each in dataclasses.fields(args)
        if each.name in always
        or (each.name in values and getattr(args, each.name) != each.default and not each.name.endswith("_dir"))
    }


def _name(name: str) -> str:
    if name == "epoch":
        return name
    section, _, rest = name.partition("_")
    if section in _SECTIONS and rest:
        return f"{section}/{rest}"
    return f"overall/{rest}" if section == "train" and rest else f"train/{name}"
