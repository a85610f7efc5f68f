"""A packed demo, made by hand: a project with a model that any machine can run, and two runs with their answers."""

import shutil
from pathlib import Path

import msgspec
import numpy as np

from runyard.apps.demo.layout import APP_FOLDER, SCRIPT
from runyard.apps.demo.packing import Pack
from runyard.apps.facts import FILE as FACTS_FILE
from runyard.apps.facts import write_facts
from runyard.apps.show.sources import MODEL_FOLDER, PACK_FILE, RUNS_FOLDER
from runyard.tracking.media.image import encode_image
from runyard.tracking.models import save_model
from runyard.tracking.predictions import FILE as PREDICTIONS_FILE
from runyard.tracking.predictions import Predictions, write_predictions
from tests.apps.builders import facts
from tests.apps.seams import inspected, pictures

NEW, OLD = "8fk2m3qd7a", "2025abcdef"

INFERENCE = """
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from runyard import load_model


class Output(NamedTuple):
    label: str
    probability: float
    heatmap: np.ndarray


def load(path, device="cpu"):
    return load_model(path)


def predict(model, inputs):
    outputs = []
    for image in inputs:
        darkness = float(np.clip((model["level"] - image.min()) * 4, 0, 1))
        outputs.append(Output("defect" if darkness >= 0.5 else "ok", darkness, np.clip((0.34 - image) * 8, 0, 1)))
    return outputs


def read(path):
    path = Path(path)
    with Image.open(path) as image:
        return [(path.name, np.asarray(image.convert("L"), np.float32) / 255)]
"""

EXPLORE = """
import runyard.show as rs
from src.inference import predict

app = rs.App(title="Weld seam inspection", customer="Demo GmbH", predict=predict)
app.page_try(samples="tests/data")
app.page_threshold(costs={"missed defect": 120, "false alarm": 4}, unit="€ per 1000 parts")
app.page_errors(order="worst", group_by="label", relabel=True)
app.page_compare()
app.page_report()
app.run()
"""


def build(
    folder: Path,
    *,
    new: Predictions | None = None,
    old: Predictions | None = None,
    explore: str = EXPLORE,
    is_with_model: bool = True,
    language: str = "",
) -> Path:
    """Fill a folder; return it."""
    app = folder / APP_FOLDER
    for place, text in ((SCRIPT, explore), ("src/inference.py", INFERENCE)):
        (app / place).parent.mkdir(parents=True, exist_ok=True)
        (app / place).write_text(text, encoding="utf-8")
    samples = app / "tests" / "data"
    samples.mkdir(parents=True)
    images, targets, _ = pictures(6)
    for number, image in enumerate(images):
        (samples / f"seam-{number}.png").write_bytes(encode_image(image)[0])
    lines = [f"seam-{number}.png,{'defect' if target else 'ok'}" for number, target in enumerate(targets)]
    (samples / "labels.csv").write_text("\n".join(["file,label", *lines]) + "\n")
    for run_id, name, predictions in (
        (NEW, "weld-lr0.01", inspected(skill=1.3) if new is None else new),
        (OLD, "weld-2025", inspected(skill=0.6) if old is None else old),
    ):
        run = folder / RUNS_FOLDER / run_id
        run.mkdir(parents=True)
        write_facts(facts(id=run_id, name=name), run / FACTS_FILE)
        write_predictions(predictions, run / PREDICTIONS_FILE)
        if is_with_model:
            save_model({"level": np.float64(0.4)}, run / MODEL_FOLDER)
    about = Pack(project="weld-seam", run=NEW, second=OLD, language=language)
    (folder / PACK_FILE).write_bytes(msgspec.json.encode(about))
    return folder


def without_predictions(folder: Path, run_id: str) -> None:
    """Take the answers of a run away."""
    (folder / RUNS_FOLDER / run_id / PREDICTIONS_FILE).unlink()


def without_model(folder: Path, run_id: str) -> None:
    """Take the model of a run away."""
    shutil.rmtree(folder / RUNS_FOLDER / run_id / MODEL_FOLDER)
