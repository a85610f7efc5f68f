"""What logs for Lightning, with Lightning."""

from pathlib import Path

import pytest

from tests.integrations.scripts import needs, run_script

needs("lightning", "torch")
IMPORTS = ("lightning.pytorch", "torch")
pytestmark = [pytest.mark.slow, pytest.mark.torch]

MODEL = """
import logging, os, runyard, signal, torch, warnings
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from runyard.integrations.lightning import RunyardLogger, StopWhenAsked
class Net(LightningModule):
    def __init__(self, width=4):
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(3, 1)
    def training_step(self, batch, number):
        loss = self.layer(batch[0]).pow(2).mean()
        self.log("train/loss", loss)
        return loss
    def validation_step(self, batch, number):
        self.log("val/loss", self.layer(batch[0]).pow(2).mean())
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)
torch.manual_seed(0)
data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(32, 3)), batch_size=8)
quiet = dict(accelerator="cpu", enable_progress_bar=False, enable_model_summary=False, log_every_n_steps=1)
run = runyard.start_run("weld")
"""


def test_a_trainer_logs_metrics_settings_and_its_best_checkpoint(tmp_path: Path) -> None:
    (run,) = run_script(
        tmp_path,
        imports=IMPORTS,
        program=MODEL
        + """
trainer = Trainer(max_epochs=3, logger=RunyardLogger(), callbacks=[ModelCheckpoint(monitor="val/loss")], **quiet)
trainer.fit(Net(), data, data)
assert os.path.dirname(trainer.checkpoint_callback.best_model_path).startswith(str(run.checkpoint_dir))
""",
    )

    assert run.state == "COMPLETED"
    assert run.config["lightning"]["width"] == 4
    assert len(run.series("train/loss").values) == 12
    assert len(run.series("val/loss").values) == 3
    assert run.summary["epoch"].last == 2
    assert [file.name for file in run.artifacts() if file.name.endswith(".ckpt")]


def test_a_signal_ends_the_trainer_after_the_batch(tmp_path: Path) -> None:
    (run,) = run_script(
        tmp_path,
        imports=IMPORTS,
        program=MODEL
        + """
class Stopper(Callback):
    def on_train_batch_start(self, trainer, module, batch, number):
        if trainer.global_step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
Trainer(max_epochs=100, logger=RunyardLogger(), callbacks=[Stopper(), StopWhenAsked()], **quiet).fit(Net(), data)
""",
    )

    assert run.state == "INTERRUPTED"
    assert len(run.series("train/loss").values) == 3
