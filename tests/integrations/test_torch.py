"""What logs for PyTorch, with PyTorch."""

from pathlib import Path

import pytest

from tests.integrations.scripts import needs, run_script

needs("torch")
IMPORTS = ("torch",)
pytestmark = [pytest.mark.slow, pytest.mark.torch]


def test_gradients_weights_and_learning_rates_are_logged_as_the_optimizer_steps(tmp_path: Path) -> None:
    (run,) = run_script(
        tmp_path,
        imports=IMPORTS,
        program="""
import runyard, torch
from runyard.integrations.torch import watch
torch.manual_seed(0)
model = torch.nn.Linear(3, 1, bias=False)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
run = runyard.start_run("weld")
with watch(model, optimizer, every_steps=2, histograms_every_steps=4):
    for step in range(5):
        optimizer.zero_grad()
        model(torch.ones(1, 3)).sum().backward()
        if step == 4:
            model.weight.grad[0, 0] = float("nan")
        optimizer.step()
        schedule.step()
optimizer.step()
""",
    )

    assert list(run.series("train/lr").steps) == [0, 2, 4]
    assert list(run.series("train/lr").values) == [0.5, 0.125, 0.03125]
    assert run.series("gradients/norm").values[0] == pytest.approx(3**0.5)
    assert list(run.series("gradients/nonfinite").values) == [0, 0, 1]
    assert {(row.key, row.step) for row, _ in run.media()} == {
        (key, step) for key in ("gradients/weight", "weights/weight") for step in (0, 4)
    }


def test_a_signal_ends_the_loop_at_the_next_step_that_is_logged(tmp_path: Path) -> None:
    (run,) = run_script(
        tmp_path,
        imports=IMPORTS,
        program="""
import os, runyard, signal, torch
from runyard.integrations.torch import watch
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
with runyard.start_run("weld") as run:
    run.configure({"lr": 0.1})
    watch(model, optimizer, every_steps=1, histograms_every_steps=0)
    for step in range(50):
        optimizer.zero_grad()
        model(torch.ones(1, 3)).sum().backward()
        if step == 2:
            run.save_model(model)
            os.kill(os.getpid(), signal.SIGTERM)
        try:
            optimizer.step()
        except runyard.StopRun as asked:
            run.finish(asked)
            break
""",
    )

    assert run.state == "INTERRUPTED"
    assert list(run.series("train/lr").steps) == [0, 1]
    assert run.config["lr"] == 0.1
    assert "model/manifest.json" in {file.name for file in run.artifacts()}
