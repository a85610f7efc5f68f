"""PyTorch: what happens inside a model while it learns.

from runyard.integrations.torch import watch

watch(model, optimizer)        # before the loop
"""

from types import TracebackType
from typing import Any, Self

import torch

from runyard.integrations.following import the_run
from runyard.tracking import Run

_MOST_HISTOGRAMS = 100  # of parameters, of weights and gradients each


def watch(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    run: Run | None = None,
    *,
    every_steps: int = 100,
    histograms_every_steps: int = 1_000,
) -> "Watch":
    """Log learning rates, norms of gradients and weights, and how they are distributed, as the optimizer steps.

    `train/lr` (and `train/lr_1` … for further groups of parameters), `gradients/norm` and `weights/norm` over all
    parameters, and `gradients/nonfinite`, the number of gradient entries that are NaN or infinite; histograms are
    `gradients/<parameter>` and `weights/<parameter>`, of the first 100 parameters that are trained. The step is the
    number of the optimizer's steps. Values are fetched from the device at these steps only.

    Args:
        model: whose parameters.
        optimizer: whose steps.
        run: None is the open one.
        every_steps: how often numbers are logged.
        histograms_every_steps: how often histograms are; 0 is never.

    Returns:
        What ends the watching: `.stop()`, or the end of a `with`.
    """
    return Watch(model, optimizer, run, every_steps=every_steps, histograms_every_steps=histograms_every_steps)


class Watch:
    """A hook before each step of an optimizer. See `watch`."""

    def __init__(
        self,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        run: Run | None,
        *,
        every_steps: int,
        histograms_every_steps: int,
    ) -> None:
        """Begin to watch."""
        self._run = run
        self._parameters = [(name, each) for name, each in model.named_parameters() if each.requires_grad]
        self._every = every_steps
        self._histograms_every = histograms_every_steps
        self._step = 0
        self._hook = optimizer.register_step_pre_hook(self._before_step)

    def stop(self) -> None:
        """Watch no longer."""
        self._hook.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _exception: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()

    def _before_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        step, self._step = self._step, self._step + 1
        run = the_run(self._run, "watch")
        if step % self._every == 0:
            rates = {
                f"train/lr_{number}" if number else "train/lr": float(group["lr"])
                for number, group in enumerate(optimizer.param_groups)
            }
            run.log({**rates, **self._norms()}, step=step)
        if self._histograms_every and step % self._histograms_every == 0:
            for name, parameter in self._parameters[:_MOST_HISTOGRAMS]:
                run.log_histogram(f"weights/{name}", parameter.detach().float().cpu().numpy(), step=step)
                if parameter.grad is not None:
                    run.log_histogram(f"gradients/{name}", parameter.grad.detach().float().cpu().numpy(), step=step)

    @torch.no_grad()
    def _norms(self) -> dict[str, float]:
        gradients = [each.grad for _, each in self._parameters if each.grad is not None]
        found = {"weights/norm": float(torch.nn.utils.get_total_norm([each for _, each in self._parameters]))}
        if gradients:
            found["gradients/norm"] = float(torch.nn.utils.get_total_norm(gradients))
            found["gradients/nonfinite"] = float(sum((~torch.isfinite(each)).sum() for each in gradients))
        return found
