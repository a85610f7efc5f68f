"""What logs for Transformers, with Transformers."""

from pathlib import Path

import pytest

from tests.integrations.scripts import needs, run_script

needs("transformers", "accelerate", "torch")
IMPORTS = ("transformers", "accelerate", "torch")
pytestmark = [pytest.mark.slow, pytest.mark.torch]

MODEL = """
import os, runyard, signal, torch
from runyard.integrations.transformers import RunyardCallback
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainerCallback, TrainingArguments
torch.manual_seed(0)
config = BertConfig(
    vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, num_labels=2
)
model = BertForSequenceClassification(config)
data = [{"input_ids": torch.tensor([1, 2, number % 20]), "labels": torch.tensor(number % 2)} for number in range(16)]
given = dict(output_dir="out", per_device_train_batch_size=4, logging_steps=1, report_to=[], use_cpu=True)
run = runyard.start_run("weld")
"""


def test_the_trainer_logs_metrics_settings_and_its_model(tmp_path: Path) -> None:
    (run,) = run_script(
        tmp_path,
        imports=IMPORTS,
        program=MODEL
        + """
import shutil
args = TrainingArguments(
    num_train_epochs=2, eval_strategy="epoch", save_strategy="epoch", learning_rate=1e-3,
    load_best_model_at_end=True, greater_is_better=True, metric_for_best_model="loss", **given,
)
trainer = Trainer(model, args, train_dataset=data, eval_dataset=data, callbacks=[RunyardCallback()])
trainer.train()
shutil.copy(os.path.join(trainer.state.best_model_checkpoint, "model.safetensors"), "best.safetensors")
""",
    )

    assert run.state == "COMPLETED"
    assert list(run.series("train/loss").steps) == list(range(1, 9))
    assert len(run.series("eval/loss").values) == 2
    assert run.summary["epoch"].last == 2
    assert run.config["transformers"]["trainer"]["learning_rate"] == 1e-3
    assert run.config["transformers"]["model"]["hidden_size"] == 8
    files = {file.name: file.path for file in run.artifacts()}
    assert {"model/model.safetensors", "model/config.json"} <= set(files)
    kept = files["model/model.safetensors"]
    assert kept is not None
    assert kept.read_bytes() == (tmp_path / "best.safetensors").read_bytes()


def test_a_signal_ends_the_training_after_the_step_with_a_checkpoint(tmp_path: Path) -> None:
    (run,) = run_script(
        tmp_path,
        imports=IMPORTS,
        program=MODEL
        + """
class Stopper(TrainerCallback):
    def on_step_begin(self, args, state, control, **more):
        if state.global_step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
args = TrainingArguments(num_train_epochs=100, save_strategy="no", **given)
Trainer(model, args, train_dataset=data, callbacks=[Stopper(), RunyardCallback()]).train()
assert os.path.isdir("out/checkpoint-3")
""",
    )

    assert run.state == "INTERRUPTED"
    assert len(run.series("train/loss").values) == 3
