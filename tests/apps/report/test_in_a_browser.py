"""The report, opened from a disk in a real browser that has no network."""

import re
from pathlib import Path

import pytest

from runyard.apps.evaluation import Costs, Scored
from runyard.apps.report import build_report
from runyard.apps.words import Language, Words
from tests.apps.builders import options, subject
from tests.apps.evaluation.builders import digits
from tests.apps.report.test_report import HOSTILE
from tests.apps.seams import inspected
from tests.browsing import Visit

COSTS = Costs.of({"missed defect": 120, "false alarm": 4}, "€ per 1000 parts")


@pytest.fixture
def offline(visit: Visit) -> Visit:
    visit.page.context.set_offline(True)
    return visit


def open_report(visit: Visit, html: str, folder: Path) -> None:
    path = folder / "report.html"
    path.write_text(html, encoding="utf-8")
    visit.page.goto(path.as_uri())


def said(visit: Visit, name: str) -> str:
    return visit.page.locator(f'[data-out="{name}"]').first.inner_text()


def test_the_slider_gives_the_numbers_of_the_evaluation(offline: Visit, tmp_path: Path) -> None:
    predictions = inspected(skill=1.0)
    scored, words = Scored(predictions, 1), Words()
    open_report(offline, build_report([subject(predictions)], options(costs=COSTS)).html, tmp_path)

    for threshold in (0.1, 0.35, 0.5, 0.812):
        offline.page.locator('[data-in="threshold"]').fill(str(threshold))

        at = scored.at(threshold)
        assert said(offline, "misses") == words.number(at.misses_of(1000), 1)
        assert said(offline, "alarms") == words.number(at.alarms_of(1000), 1)
        assert said(offline, "cost") == words.cost(at.cost(COSTS))
        assert said(offline, "measuredMissed").startswith(f"measured: {at.misses} of {at.misses + at.hits}")
    best = scored.curve(COSTS)
    assert said(offline, "bestThreshold") == words.number(best.best, 3)
    assert said(offline, "bestCost") == words.cost(best.best_cost)


def test_prices_and_shares_of_the_customer_move_the_cheapest_threshold(offline: Visit, tmp_path: Path) -> None:
    predictions = inspected(skill=1.0)
    html = build_report([subject(predictions)], options(costs=COSTS, words=Words(Language.DE))).html
    open_report(offline, html, tmp_path)

    offline.page.locator('[data-in="missed"]').fill("3")
    offline.page.locator('[data-in="alarm"]').fill("50")
    offline.page.locator('[data-in="share"]').fill("10")
    offline.page.get_by_role("button", name="Die günstigste nehmen").click()

    dear = Costs.of({"missed": 3, "alarm": 50})
    best = Scored(predictions, 1).curve(dear, share=0.01)
    words = Words(Language.DE)
    assert said(offline, "bestThreshold") == said(offline, "threshold") == words.number(best.best, 3)
    assert said(offline, "cost") == words.cost(best.best_cost)


def test_another_class_can_be_looked_for(offline: Visit, tmp_path: Path) -> None:
    predictions = digits(quality=1.0)
    open_report(offline, build_report([subject(predictions)], options()).html, tmp_path)

    offline.page.locator('[data-in="label"]').select_option(label="nine")

    assert said(offline, "share").startswith("nine: how many")
    assert said(offline, "misses") == Words().number(Scored(predictions, 2).at(0.5).misses_of(1000), 1)


def test_hostile_texts_are_shown_and_nothing_of_them_runs(offline: Visit, tmp_path: Path) -> None:
    hostile = subject(inspected(40), name=HOSTILE, note=HOSTILE, config={HOSTILE: HOSTILE})
    offline.page.on("dialog", lambda dialog: offline.wrong.append(f"dialog: {dialog.message}"))

    open_report(offline, build_report([hostile], options(title=HOSTILE)).html, tmp_path)

    assert offline.page.locator("h1").inner_text().startswith("</script><script>alert(1)")


def test_it_prints_on_a_few_sheets_of_paper(offline: Visit, tmp_path: Path) -> None:
    html = build_report(
        [subject(inspected(skill=1.3))], options(costs=COSTS), second=subject(inspected(skill=0.6), name="old")
    ).html
    open_report(offline, html, tmp_path)

    pdf = offline.page.pdf(prefer_css_page_size=True, print_background=True)

    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 5
    offline.page.emulate_media(media="print")
    assert not offline.page.get_by_role("button", name="Use the cheapest").is_visible()
    assert offline.page.locator('[data-out="threshold"]').first.is_visible()


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen(offline: Visit, tmp_path: Path, width: int) -> None:
    offline.page.set_viewport_size({"width": width, "height": 800})

    open_report(offline, build_report([subject(digits(quality=1.0))], options()).html, tmp_path)

    assert offline.page.evaluate("document.documentElement.scrollWidth") <= width
