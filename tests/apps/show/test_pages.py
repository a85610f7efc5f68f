"""Every page of the customer's page, clicked through without a browser."""

import csv
import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from runyard.apps.demo.layout import APP_FOLDER, SCRIPT
from runyard.apps.demo.rehearsing import chosen
from runyard.apps.evaluation import Costs, Distances, Doubts, Scored, errors
from runyard.apps.words import Words
from runyard.tracking.media.image import encode_image
from runyard.tracking.predictions import collect
from tests.apps import showroom
from tests.apps.evaluation.builders import digits, distances, scenes
from tests.apps.seams import inspected, pictures

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

testing: Any = pytest.importorskip("streamlit.testing.v1", reason="needs Streamlit: pip install streamlit")

HOSTILE = "![x](http://evil.example/x.png)<img src=http://evil.example/y onerror=alert(1)>:red[a] $x$"
COSTS = Costs.of({"missed defect": 120, "false alarm": 4}, "€ per 1000 parts")

Open = Callable[..., "AppTest"]


@pytest.fixture
def open_demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Open]:
    """Show a packed demo, at a page."""

    def start(page: str = "try", *, folder: Path | None = None, second: str = showroom.OLD, language: str = "") -> Any:
        pack = folder or showroom.build(tmp_path / "demo")
        for name, value in chosen(pack, showroom.NEW, second, language).items():
            monkeypatch.setenv(name, value)
        monkeypatch.syspath_prepend(str(pack / APP_FOLDER))
        test = testing.AppTest.from_file(pack / APP_FOLDER / SCRIPT, default_timeout=60)
        test.run()
        return go(test, page)

    yield start
    for name in [name for name in sys.modules if name == "src" or name.startswith("src.")]:
        del sys.modules[name]


def go(test: "AppTest", page: str) -> "AppTest":
    """Choose a page; nothing may go wrong on it."""
    test.radio(key="page").set_value(page)
    return shown(test.run())


def shown(test: "AppTest") -> "AppTest":
    assert [each.message for each in test.exception] == []
    assert [each.value for each in test.error] == []
    return test


def text_of(test: "AppTest") -> str:
    """All that stands on a page outside of widgets."""
    parts = [*test.header, *test.caption, *test.info, *test.success, *test.markdown, *test.html]
    return " ".join(str(getattr(part, "value", None) or part.proto.body) for part in parts)


def test_a_sample_is_tried_with_its_truth_and_time(open_demo: Open) -> None:
    test = open_demo("try")

    test.multiselect(key="samples").set_value(["seam-0.png", "seam-1.png"])
    shown(test.run())

    text = text_of(test)
    assert text.count(" ms") == 2
    assert "probability" in text
    assert "Truth" in text
    assert len(test.image) == 2
    assert test.slider(key="strength").value == 0.5


def test_a_file_of_ones_own_is_tried_whatever_it_is_called(open_demo: Open) -> None:
    test = open_demo("try")
    picture = encode_image(pictures(1)[0][0])[0]

    test.file_uploader(key="upload").set_value([("../../etc/<b>seam.png", picture, "image/png")])
    shown(test.run())

    assert "defect" in text_of(test)
    assert "&lt;b&gt;seam.png" in text_of(test)


def test_a_file_that_is_no_picture_is_refused_by_its_name(open_demo: Open) -> None:
    test = open_demo("try")

    test.file_uploader(key="upload").set_value([("notes.txt", b"no picture", "text/plain")])
    test.run()

    assert [each.message for each in test.exception] == []
    (error,) = test.error
    assert error.value.startswith("notes\\.txt cannot be read")
    assert "/tmp" not in error.value


def test_a_small_file_that_claims_to_be_a_huge_picture_is_refused_and_the_others_are_answered(open_demo: Open) -> None:
    test = open_demo("try")
    bomb = io.BytesIO()
    Image.new("1", (8_000, 8_000)).save(bomb, "PNG")
    fine = encode_image(pictures(1)[0][0])[0]

    test.file_uploader(key="upload").set_value(
        [("bomb.png", bomb.getvalue(), "image/png"), ("fine.png", fine, "image/png")]
    )
    test.run()

    assert [each.message for each in test.exception] == []
    (error,) = test.error
    assert error.value.startswith("bomb\\.png cannot be read")
    assert "fine.png" in text_of(test)


def test_a_picture_that_the_model_cannot_take_costs_the_others_nothing(open_demo: Open, tmp_path: Path) -> None:
    folder = showroom.build(tmp_path / "demo")
    code = folder / APP_FOLDER / "src" / "inference.py"
    picky = "    for image in inputs:\n        if image.shape[0] == 3:\n            raise IndexError('too flat')\n"
    code.write_text(code.read_text().replace("    for image in inputs:\n", picky))
    test = open_demo("try", folder=folder)
    flat = encode_image(np.zeros((3, 20, 3), np.uint8))[0]

    test.file_uploader(key="upload").set_value([("flat.png", flat, "image/png")])
    test.multiselect(key="samples").set_value(["seam-0.png"])
    test.run()

    assert [each.message for each in test.exception] == []
    assert [each.value for each in test.error] == ["flat\\.png gets no answer: too flat"]
    assert "seam-0.png" in text_of(test)


def test_more_files_than_are_tried_at_once_are_told(open_demo: Open) -> None:
    test = open_demo("try")
    picture = encode_image(pictures(1)[0][0])[0]

    test.file_uploader(key="upload").set_value([(f"{number}.png", picture, "image/png") for number in range(26)])
    shown(test.run())

    assert text_of(test).count(" ms") == 24
    assert any("24" in each.value and "26" in each.value for each in test.caption)


def test_without_a_model_all_but_trying_works(open_demo: Open, tmp_path: Path) -> None:
    folder = showroom.build(tmp_path / "demo", is_with_model=False)

    test = open_demo("try", folder=folder)

    assert "is not at hand" in test.info[0].value
    for page in ("threshold", "errors", "compare", "report"):
        go(test, page)


def test_the_slider_shows_what_the_evaluation_says(open_demo: Open) -> None:
    test = open_demo("threshold")
    scored, words = Scored(inspected(skill=1.3), 1), Words()

    test.slider(key="line").set_value(0.3)
    shown(test.run())

    at = scored.at(0.3)
    assert words.amount(at.cost(COSTS), "€") in text_of(test)
    assert f"{at.misses} of {at.misses + at.hits}" in text_of(test)
    assert "missed defect" in text_of(test)
    assert "1,000 parts" in text_of(test)


def test_the_cheapest_threshold_is_one_click_away(open_demo: Open) -> None:
    test = open_demo("threshold")
    best = Scored(inspected(skill=1.3), 1).curve(COSTS)

    test.button(key="use-cheapest").click()
    shown(test.run())

    assert test.slider(key="line").value == pytest.approx(best.best, abs=0.001)
    assert f"Cheapest at {Words().number(best.best, 3)}" in text_of(test)


def test_what_was_chosen_stays_when_the_page_is_left(open_demo: Open) -> None:
    test = open_demo("threshold")
    test.slider(key="line").set_value(0.25)
    test.number_input(key="missed").set_value(7.0)
    shown(test.run())

    go(test, "errors")
    go(test, "threshold")

    assert test.slider(key="line").value == 0.25
    assert test.number_input(key="missed").value == 7.0


def test_errors_are_shown_with_pictures_the_worst_first(open_demo: Open) -> None:
    test = open_demo("errors")
    groups = errors(inspected(skill=1.3), group_by="label")

    first = next(iter(groups.values()))
    assert len(test.image) == min(len(first), 12)
    assert text_of(test).index(first[0].id) < text_of(test).index(first[1].id)


def test_a_wrong_label_is_written_down_offered_as_a_list_and_taken_back(open_demo: Open, tmp_path: Path) -> None:
    test = open_demo("errors")
    doubts = Doubts(tmp_path / "demo" / "labels-in-doubt.csv")
    item = next(iter(errors(inspected(skill=1.3), group_by="label").values()))[0]

    test.checkbox(key=f"wrong-{item.id}").check()
    shown(test.run())
    test.selectbox(key=f"right-{item.id}").set_value(item.prediction)
    shown(test.run())

    (doubt,) = doubts.all().values()
    assert (doubt.id, doubt.label, doubt.right_label, doubt.run) == (
        item.id,
        item.target,
        item.prediction,
        showroom.NEW,
    )
    assert "Labels in doubt: 1" in text_of(test)
    test.checkbox(key=f"wrong-{item.id}").uncheck()
    shown(test.run())
    assert doubts.all() == {}


def test_samples_in_doubt_can_be_left_out_everywhere(open_demo: Open, tmp_path: Path) -> None:
    test = open_demo("errors")
    groups = errors(inspected(skill=1.3), group_by="label")
    name, items = next(iter(groups.items()))
    test.checkbox(key=f"wrong-{items[0].id}").check()
    shown(test.run())

    test.checkbox(key="without-doubtful").check()
    shown(test.run())

    assert items[0].id not in text_of(test)
    assert f"{name} ({len(items) - 1})" in test.selectbox(key="group-label").options
    assert "239 samples" in text_of(go(test, "threshold"))


def test_more_errors_are_a_click_away(open_demo: Open, tmp_path: Path) -> None:
    folder = showroom.build(tmp_path / "demo", new=inspected(skill=0.2))
    test = open_demo("errors", folder=folder)
    test.selectbox(key="group-by").set_value("nothing")
    shown(test.run())
    (items,) = errors(inspected(skill=0.2)).values()

    test.button(key="next").click()
    shown(test.run())

    assert items[12].id in text_of(test)
    assert items[0].id not in text_of(test)


def test_two_models_are_compared_where_they_differ(open_demo: Open) -> None:
    test = open_demo("compare")

    text = text_of(test)
    assert "weld-lr0.01 is better" in text
    assert "McNemar" in text
    assert "of 240 samples that both have seen" in text
    assert 0 < len(test.image) <= 24


def test_without_a_second_model_the_page_says_how_to_name_one(open_demo: Open) -> None:
    assert "--compare RUN" in open_demo("compare", second="").info[0].value


def test_models_of_different_kinds_are_not_compared(open_demo: Open, tmp_path: Path) -> None:
    folder = showroom.build(tmp_path / "demo", old=distances())

    assert "cannot be compared" in open_demo("compare", folder=folder).info[0].value


def test_values_have_errors_a_comparison_a_report_and_a_tolerance_for_a_threshold(
    open_demo: Open, tmp_path: Path
) -> None:
    folder = showroom.build(tmp_path / "demo", new=distances(noise=0.5), old=distances(seed=1, noise=0.01))
    test = open_demo("errors", folder=folder)

    assert "weld-2025 is nearer" in text_of(go(test, "compare"))
    go(test, "threshold")
    test.slider(key="tolerance").set_value(0.25)
    test.number_input(key="missed").set_value(3.0)
    at = Distances(distances(noise=0.5)).at(0.25)
    text = text_of(shown(test.run()))
    assert "there is no line to draw" in text
    assert Words().amount(at.cost(Costs.of({"low": 3, "high": 4}, "€ per 1000 parts")), "€") in text
    go(test, "report")
    assert go(test, "threshold").slider(key="tolerance").value == pytest.approx(0.25, abs=0.01)


def test_forecasts_are_drawn_over_time(open_demo: Open, tmp_path: Path) -> None:
    targets = np.arange(30.0)
    folder = showroom.build(tmp_path / "demo", new=collect(targets, targets + 1, times=range(1990, 2020)))

    test = open_demo("threshold", folder=folder)

    assert "over time" in text_of(test)
    assert "1990" in text_of(go(test, "errors"))


def test_boxes_are_framed_on_the_pages_and_judged_picture_by_picture(open_demo: Open, tmp_path: Path) -> None:
    folder = showroom.build(tmp_path / "demo", new=scenes(), old=scenes(score=0.4))
    test = open_demo("errors", folder=folder)

    assert "Solid green: the truth" in text_of(test)
    assert "crack, pore" in text_of(test)
    assert set(test.selectbox(key="group-label").options) == {"crack (2)", "pore (2)"}
    assert "is there a “crack” in it" in text_of(go(test, "threshold"))
    assert "6 samples that both have seen" in text_of(go(test, "compare"))
    go(test, "report")


def test_a_run_without_predictions_says_what_to_do_on_every_page(open_demo: Open, tmp_path: Path) -> None:
    folder = showroom.build(tmp_path / "demo")
    showroom.without_predictions(folder, showroom.NEW)
    test = open_demo("try", folder=folder)

    for page in ("threshold", "errors", "compare"):
        assert "run.log_predictions" in go(test, page).info[0].value
    go(test, "report")


def test_german_speaks_german_on_every_page(open_demo: Open) -> None:
    test = open_demo("try", language="de")

    assert "Ausprobieren" in text_of(test)
    assert "Wo die Grenze liegt" in text_of(go(test, "threshold"))
    assert "Schlimmste zuerst" in text_of(go(test, "errors"))
    assert "ist besser" in text_of(go(test, "compare"))
    test.selectbox(key="language").set_value("en")
    assert "is better" in text_of(shown(test.run()))


def test_another_class_can_be_looked_for(open_demo: Open, tmp_path: Path) -> None:
    predictions = digits(quality=1.0)
    test = open_demo("threshold", folder=showroom.build(tmp_path / "demo", new=predictions))

    test.selectbox(key="wanted").set_value("nine")
    shown(test.run())

    at = Scored(predictions, 2).at(0.5)
    assert f"{at.misses} of {at.misses + at.hits}" in text_of(test)
    go(test, "report")


def test_texts_of_users_are_never_markdown_nor_markup(open_demo: Open, tmp_path: Path) -> None:
    labels = [f"a{HOSTILE}", f"b{HOSTILE}"]
    answers = [number % 3 == 0 for number in range(30)]
    settings: dict[str, Any] = {"labels": labels, "ids": [f"{number}{HOSTILE}" for number in range(30)]}
    new = collect([number % 2 for number in range(30)], scores=np.array(answers, float), **settings)
    old = collect([number % 2 for number in range(30)], scores=np.linspace(0, 1, 30), **settings)
    test = open_demo("try", folder=showroom.build(tmp_path / "demo", new=new, old=old))

    for page in ("threshold", "errors", "compare", "report"):
        go(test, page)
        markdown = [*test.caption, *test.info, *test.markdown]
        labels_of_widgets = [
            each.label for kind in (test.number_input, test.checkbox, test.button, test.radio) for each in kind
        ]
        for text in [*(str(each.value) for each in markdown), *labels_of_widgets]:
            assert "![x](" not in text
            assert "<img" not in text.replace("\\<", "")
        assert "<img" not in " ".join(each.proto.body for each in test.html)


def test_all_answers_are_a_table_without_formulas() -> None:
    pages = pytest.importorskip("runyard.apps.show.pages.reporting", reason="needs Streamlit")
    predictions = collect([0, 1], scores=[0.25, 0.75], labels=["=cmd()", "ok"], ids=["+1", "b"], paths=["@x", ""])

    rows = list(csv.reader(io.StringIO(pages.table(predictions))))

    assert rows == [
        ["id", "target", "prediction", "score:ok", "path"],
        ["'+1", "'=cmd()", "'=cmd()", "0.25", "'@x"],
        ["b", "ok", "ok", "0.75", ""],
    ]
