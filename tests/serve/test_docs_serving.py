"""The code in docs/serving.md is that of a project, and it serves."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from runyard.serve import Refused
from runyard.tracking.models import save_model

PAGE = Path(__file__).parents[2] / "docs" / "serving.md"


def test_the_code_of_the_page_serves(tmp_path: Path) -> None:
    names: dict[str, Any] = {"__name__": "inference"}
    for block in re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE):
        exec(block, names)  # our own page
    app = names["app"]
    save_model({"weights": np.eye(64, 10)}, tmp_path / "model")
    picture = io.BytesIO()
    image = Image.new("L", (8, 8))
    image.putpixel((3, 0), 255)
    image.save(picture, "PNG")

    value = app.interface.one(picture.getvalue(), "image/png")

    (output,) = app.predict(app.load(tmp_path / "model"), [value])
    assert app.interface.document(output) == {"label": 3, "probability": 1.0}
    with pytest.raises(Refused, match="8 × 8 is wanted"):
        app.interface.one(b"[[1]]", "application/json")
