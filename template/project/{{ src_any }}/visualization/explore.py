"""A page to look at samples and at what a model makes of them: `streamlit run src/visualization/explore.py`.

Streamlit is not among the requirements: `pip install streamlit`.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the project: Streamlit puts this file's folder there

from runyard.errors import RunyardError

from src import inference

PROJECT = Path(__file__).resolve().parents[2]
SAMPLES = PROJECT / "tests" / "data"


def main() -> None:
    try:
        import streamlit as st
    except ImportError:
        raise SystemExit("This page needs Streamlit. Install it with: pip install streamlit") from None

    st.set_page_config(page_title=PROJECT.name)
    st.title(PROJECT.name)
    samples = dict(inference.read(SAMPLES))
    with st.sidebar:
        name = st.selectbox("Sample", list(samples))
        folder = st.text_input("Model folder", first_argument() or os.environ.get("MODEL", "model"))

    sample = samples[name]
    left, right = st.columns(2)
    if sample.ndim == 2:
        left.image(sample.repeat(8, axis=0).repeat(8, axis=1), caption=name)
    else:
        left.line_chart(sample)
    if not Path(folder).is_dir():
        right.info(f"There is no model folder '{folder}' yet. Name one on the left to see what it predicts.")
        return
    try:
        model = inference.load(Path(folder), "cpu")
    except RunyardError as error:
        right.error(str(error))
        return
    (output,) = inference.predict(model, [sample])
    for field, value in output._asdict().items():
        right.metric(field, value if isinstance(value, int) else str(value))


def first_argument() -> str | None:
    """The model folder of `streamlit run src/visualization/explore.py -- MODEL`."""
    return sys.argv[1] if len(sys.argv) > 1 else None


if __name__ == "__main__":
    main()
