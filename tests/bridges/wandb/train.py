"""A training that logs one of everything to the real W&B, offline; what it wrote is what the tests read.

The folders `written/<version>` were made by it, and without what is not needed of them (logs, packages):

    python -m venv venv; venv/bin/python -m pip install wandb==0.31.0 numpy pillow
    cd somewhere; WANDB_MODE=offline venv/bin/python train.py

With an argument it logs so many steps, and then kills itself.
"""

import os
import signal
import sys
from pathlib import Path

import numpy
import wandb  # type: ignore[import-not-found]  # of an environment of its own
from PIL import Image

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 0
Path("sweep.yaml").write_text("wandb_version: 1\nmodel.width:\n  value: 64\n")
if not steps:
    os.environ |= {"WANDB_SWEEP_ID": "sweep7", "WANDB_SWEEP_PARAM_PATH": "sweep.yaml"}
run = wandb.init(
    project="weld",
    name="first",
    notes="the good one\ntwo lines",
    tags=["paper", "base"],
    group="seeds",
    job_type="train",
    config={"optim": {"lr": 0.1, "betas": [0.9, 0.99]}, "depth": 3, "seed": 7, "nothing": None},
    mode="offline",
)
print("epoch 1")
for step in range(steps):
    run.log({"loss": 1 / (step + 1), "lr": 0.1})
if steps:
    os.kill(os.getpid(), signal.SIGKILL)
for step in range(5):
    run.log(
        {
            "loss": 1 / (step + 1),
            "val": {"accuracy": step / 5},
            "done": step == 4,
            "phase": "warm" if step < 2 else "hot",
        }
    )
black, white = (Image.fromarray(numpy.full((4, 4, 3), shade, "uint8")) for shade in (0, 255))
run.log({"counts": wandb.Histogram(numpy.arange(10.0)), "seen": wandb.Image(black, caption="dark")})
run.log({"pair": [wandb.Image(black), wandb.Image(white)], "answers": wandb.Table(["a", "b"], [[1, "x"], [2, None]])})
run.log({"nan": float("nan"), "far": float("-inf"), "classes": [1, 2]}, step=100)
run.summary["best"] = 0.9
run.config.update({"late": 5})
Path("notes.txt").write_text("kept")
run.save("notes.txt")
model = wandb.Artifact("model", "model")
model.add_file("notes.txt")
run.log_artifact(model)
print("bye", file=sys.stderr)
run.finish(exit_code=0)
