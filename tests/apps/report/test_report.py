"""The report as a text: complete, escaped, without any reference, small."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from runyard.apps.evaluation import Costs, Scored
from runyard.apps.facts import Curve, Metric
from runyard.apps.report import build_report
from runyard.apps.words import Language, Words
from runyard.errors import UsageError
from runyard.tracking.predictions import collect
from tests.apps.builders import options, subject
from tests.apps.evaluation.builders import digits, distances, scenes
from tests.apps.seams import inspected, paths

COSTS = Costs.of({"missed defect": 120, "false alarm": 4}, "€ per 1000 parts")
HOSTILE = "</script><script>alert(1)</script><img src=http://evil.example/x onerror=alert(2)>{{ 7*7 }}\u202e'\"&<!--"


class References(HTMLParser):
    """What a browser would fetch, and what it would execute."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.handlers: list[str] = []
        self.tags: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "srcset", "data", "action", "poster", "background") and not (
                (value or "").startswith(("data:image/", "#"))
            ):
                self.fetched.append(f"{tag} {name}={value}")
            if name.startswith("on"):
                self.handlers.append(f"{tag} {name}={value}")


def texts(html: str) -> str:
    """What one reads, on one line."""
    return " ".join(re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", html, flags=re.DOTALL).split())


def test_a_report_holds_every_section_and_refers_to_nothing() -> None:
    html = build_report(
        [subject(inspected(skill=1.3))], options(costs=COSTS), second=subject(inspected(skill=0.6), name="weld-2025")
    ).html

    found = References(html)
    assert (found.fetched, found.handlers) == ([], [])
    assert found.tags.count("script") == 2
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", html)
    assert "@import" not in html
    assert "url(" not in html
    for text in (
        "Weld seam inspection",
        "for Demo GmbH",
        "Where to draw the line",
        "missed defect",
        "Cost (€)",
        "Compared with weld-2025",
        "McNemar",
        "How good it is",
        "What it gets wrong",
        "How it was trained",
        "optim.lr",
        "Where it comes from",
        "4be1c0ffee00",
        "data.root 3f9a1c20be77 (1,240 files, 96.4 MB)",
        "torch 2.13.0",
        "anna",
    ):
        assert text in texts(html), text


def test_numbers_of_the_threshold_are_those_of_the_evaluation() -> None:
    predictions = inspected(skill=1.3)
    scored = Scored(predictions, 1)

    text = texts(build_report([subject(predictions)], options(costs=COSTS, threshold=0.3)).html)

    at, best = scored.at(0.3), scored.at(scored.curve(COSTS).best)
    words = Words()
    assert f"Cost (€) {words.cost(at.cost(COSTS))} {words.cost(best.cost(COSTS))}" in text
    assert f"measured: {at.misses} of {at.misses + at.hits}" in text


def test_german_is_german_to_the_comma() -> None:
    text = texts(build_report([subject(inspected())], options(words=Words(Language.DE))).html)

    assert "Wo die Grenze liegt" in text
    assert "23. November 2026" in text
    assert not re.search(r"\b(threshold|errors|samples|cheapest)\b", text)
    assert "0,500" in text


def test_hostile_texts_stay_texts() -> None:
    predictions = collect(
        [0, 1, 1, 0] * 5,
        scores=np.linspace(0, 1, 20),
        labels=[HOSTILE, f"b{HOSTILE}"],
        ids=[f"{number}{HOSTILE}" for number in range(20)],
        images=np.zeros((20, 4, 4), np.uint8),
    )
    hostile: dict[str, Any] = dict.fromkeys(
        ("id", "name", "project", "experiment", "user", "host", "note", "data"), HOSTILE
    )
    hostile |= {"tags": (HOSTILE,), "config": {HOSTILE: HOSTILE}, "changed": (HOSTILE,), "code": {"commit": HOSTILE}}
    hostile |= {"metrics": {HOSTILE: Metric(last=1.0)}, "curves": {HOSTILE: Curve(steps=(0, 1), values=(0.0, 1.0))}}
    hostile |= {"environment": {"python": HOSTILE}, "packages": {HOSTILE: HOSTILE}}
    costs = Costs.of({HOSTILE: 1, f"2{HOSTILE}": 1}, f"{HOSTILE} per 1000 {HOSTILE}")

    for is_redacted in (False, True):
        html = build_report(
            [subject(predictions, **hostile)] * 2,
            options(title=HOSTILE, customer=HOSTILE, costs=costs, is_redacted=is_redacted),
            second=subject(predictions.take(range(19, -1, -1)), **hostile),
        ).html

        found = References(html)
        assert (found.fetched, found.handlers) == ([], [])
        assert found.tags.count("script") == 3
        assert found.tags.count("img") == html.count('src="data:image/png;base64,')
        data = re.findall(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)
        assert is_redacted or json.loads(data[0])["lines"][0]["label"] == f"b{HOSTILE}"
        assert "{{ 7*7 }}" in html


def test_a_redacted_report_names_no_person_no_machine_and_no_path() -> None:
    names = paths(240, "/srv/customer/anna")
    first, second = (
        subject(inspected(skill=skill, ids=names, paths=names), note="ask anna on ws7") for skill in (1.3, 0.6)
    )

    whole = build_report([first], options(is_redacted=True), second=second).html
    html = re.sub(r"base64,[^\"]+", "", whole)  # three letters may stand in any picture

    assert not re.search(r"anna|ws7|/srv/|better-light", html)
    assert re.search(r"seam-\d{4}\.png", html)
    assert "are left out of this report" in html
    assert "of 240 samples that both have seen" in texts(html)
    assert "anna" in build_report([first], options()).html


def test_a_large_evaluation_makes_a_small_file() -> None:
    source = np.random.default_rng(0)
    n, classes = 40_000, 12
    predictions = collect(
        source.integers(0, classes, n),
        scores=source.dirichlet(np.ones(classes), n),
        images=np.broadcast_to(source.integers(0, 256, (40, 40, 3), dtype=np.uint8), (n, 40, 40, 3)),
        ids=np.arange(n),
    )

    report = build_report([subject(predictions)] * 3, options(), second=subject(predictions.take(range(n))))

    assert len(report.html.encode()) < 10_000_000


def test_pictures_that_find_no_room_are_counted() -> None:
    source = np.random.default_rng(0)
    noise = source.integers(0, 256, (60, 150, 150, 3), dtype=np.uint8)
    predictions = collect(np.zeros(60, int), predictions=np.arange(60) % 12, images=noise)
    heavy = predictions.take(range(60))
    heavy.thumbnails.update({number: data + b"\0" * 400_000 for number, data in predictions.thumbnails.items()})

    report = build_report([subject(heavy)] * 3, options())

    assert report.pictures_left_out > 0
    assert "pictures were left out" in report.html
    assert len(report.html) < 10_000_000


def test_values_are_drawn_over_the_truth() -> None:
    text = texts(build_report([subject(distances())], options()).html)

    assert "mean error" in text
    assert "Where to draw the line" not in text


def test_forecasts_are_drawn_over_time_and_values_by_how_far_off_they_are() -> None:
    forecast = collect([1.0, 2.0, 3.0], [1.5, 2.0, 2.0], times=["2001", "2002", "2003"])

    html = build_report([subject(forecast)], options(costs=Costs.of({"too little": 8, "too much": 2}))).html

    assert "Truth (grey) and answers (blue) over time" in html
    assert "too little" in html
    assert References(html).fetched == []
    assert "over time" not in build_report([subject(distances())], options()).html


def test_boxes_are_framed_and_their_classes_measured() -> None:
    html = build_report([subject(scenes())], options(), second=subject(scenes(score=0.4), id="old")).html

    assert html.count('<div class="framed"><svg') == 4 + 1  # the errors, and where the two models differ
    assert "mean average precision" in html
    assert "pore → crack (1)" in html
    assert "data-line" in html  # the threshold, live
    assert References(html).fetched == []


def test_what_tells_people_which_row_it_is_stands_beside_its_error() -> None:
    table = collect([0, 1], scores=[0.9, 0.8], features={"alcohol": [13.2, 11.0], "grower": ["/srv/x/y", "b"]})

    html = build_report([subject(table)], options(is_redacted=True)).html

    assert "alcohol 13.2" in html
    assert "/srv/x/y" not in html


def test_a_run_without_predictions_says_what_to_do() -> None:
    text = texts(build_report([subject()], options()).html)

    assert "has kept no answers of an evaluation" in text
    assert "How it was trained" in text


def test_decisions_without_scores_have_no_threshold_but_all_else() -> None:
    text = texts(build_report([subject(collect([0, 1, 1], [0, 1, 0]))], options()).html)

    assert "Where to draw the line" not in text
    assert "What is taken for what" in text


def test_runs_of_different_kinds_are_not_compared() -> None:
    html = build_report([subject(digits())], options(), second=subject(distances())).html

    assert "cannot be compared" in texts(html)


def test_a_class_that_is_none_is_refused_with_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"'scratch' is no class that scores were kept for\. There are: defect"):
        build_report([subject(inspected())], options(positive="scratch"))


def test_the_script_is_short() -> None:
    html = build_report([subject(inspected())], options()).html
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)

    assert len(script.strip().splitlines()) <= 100
