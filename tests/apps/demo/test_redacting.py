"""A packed demo whose folder tells no more than it must."""

from pathlib import Path

import numpy as np

from runyard.apps.demo.redacting import Redaction
from runyard.tracking.models import read_manifest, save_model, write_manifest
from tests.apps import showroom
from tests.apps.builders import subject


def a_demo(folder: Path) -> Path:
    demo = showroom.build(folder / "demo")
    (demo / "requirements.txt").write_text(
        "runyard[streamlit]==1\n--index-url https://anna:secret@pypi.example/simple\n"
        "weld @ file:///home/anna/weld\n-e ../lib\nnumpy>=2,<3  # for anna\n"
    )
    for name in ("README.md", "experiments/anna.yaml", "notebooks/a.ipynb", "tests/unit/test_a.py", ".gitlab-ci.yml"):
        path = demo / "app" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("of anna\n")
    return demo


def test_only_what_a_page_is_made_of_goes_along(tmp_path: Path) -> None:
    demo = a_demo(tmp_path)

    Redaction.of([subject()]).of_folder(demo)

    files = {path.relative_to(demo / "app").as_posix() for path in (demo / "app").rglob("*") if path.is_file()}
    assert {"src/visualization/explore.py", "src/inference.py", "tests/data/seam-0.png"} < files
    assert all(name.startswith(("src/", "tests/data/")) for name in files)


def test_requirements_keep_names_and_versions(tmp_path: Path) -> None:
    demo = a_demo(tmp_path)

    Redaction.of([subject()]).of_folder(demo)

    assert (demo / "requirements.txt").read_text() == "runyard[streamlit]==1\nweld\nnumpy>=2,<3\n"


def test_a_model_tells_nothing_of_its_origin_and_stays_the_same_model(tmp_path: Path) -> None:
    demo = a_demo(tmp_path)
    model = demo / "runs" / showroom.NEW / "model"
    save_model({"level": np.float64(0.4)}, tmp_path / "model")
    origin = {"config": {"root": "/srv/customer/x", "lr": 0.1}, "command": ["run.py", "--data", "/srv/customer"]}
    known = read_manifest(model)
    (model / "MODEL_CARD.md").write_text("| data | /srv/customer/x |\n| by | anna |\n")
    write_manifest(model, type(known)(**{**{n: getattr(known, n) for n in known.__struct_fields__}, "origin": origin}))
    before = read_manifest(model).id

    Redaction.of([subject()]).of_folder(demo)

    found = read_manifest(model)
    assert found.origin == {"config": {"root": "…", "lr": 0.1}, "command": ["run.py", "--data", "…"]}
    assert (model / "MODEL_CARD.md").read_text() == "| data | … |\n| by | … |\n"
    assert found.id == before


def test_code_is_never_changed_but_told_where_it_names_somebody(tmp_path: Path) -> None:
    demo = a_demo(tmp_path)
    config = demo / "app" / "src" / "config.py"
    lines = [
        "a = 1 / 2 / 3  # see https://example.com/a/b",
        'R = "/srv/customer/seams"',
        "BY = 'Anna'",
        "# b@example.com",
    ]
    text = "\n".join(lines)
    config.write_text(text)

    (remark,) = Redaction.of([subject()]).of_folder(demo)

    assert config.read_text() == text
    assert "src/config.py:2, src/config.py:3, src/config.py:4. Look" in remark
