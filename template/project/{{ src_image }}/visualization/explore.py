"""A page to look at images and at what a model makes of them: `streamlit run src/visualization/explore.py`.

Streamlit is not among the requirements: `pip install streamlit`.
"""

import csv
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the project: Streamlit puts this file's folder there

from runyard.errors import RunyardError

from src import inference
from src.data_processing.data_loader import read_image

PROJECT = Path(__file__).resolve().parents[2]
SAMPLES = PROJECT / "tests" / "data"


def main() -> None:
    try:
        import streamlit as st
    except ImportError:
        raise SystemExit("This page needs Streamlit. Install it with: pip install streamlit") from None

    st.set_page_config(page_title=PROJECT.name)
    st.title(PROJECT.name)
    with (SAMPLES / "labels.csv").open(newline="") as file:
        labels = {row["file"]: row["label"] for row in csv.DictReader(file)}
    with st.sidebar:
        name = st.selectbox("Image", list(labels), format_func=lambda name: f"{name} (a {labels[name]})")
        folder = st.text_input("Model folder", first_argument() or os.environ.get("MODEL", "model"))

    image = read_image(SAMPLES / name)  # (8, 8)
    left, right = st.columns(2)
    left.image(image.repeat(32, axis=0).repeat(32, axis=1), caption=name)
    right.metric("Label", labels[name])
    if not Path(folder).is_dir():
        right.info(f"There is no model folder '{folder}' yet. Name one on the left to see what it predicts.")
        return
    try:
        model = inference.load(Path(folder), "cpu")
    except RunyardError as error:
        right.error(str(error))
        return
    (output,) = inference.predict(model, [image])
    right.metric("Prediction", output.label, delta="right" if str(output.label) == labels[name] else "- wrong")
    right.progress(output.probability, text=f"{output.probability:.1%} sure")


def first_argument() -> str | None:
    """The model folder of `streamlit run src/visualization/explore.py -- MODEL`."""
    return sys.argv[1] if len(sys.argv) > 1 else None


if __name__ == "__main__":
    main()
