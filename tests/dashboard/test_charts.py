"""Charts and panels in a real browser: what is drawn, what is asked for, and that text of users stays text."""

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from runyard.journal.events import Media, Output
from tests.dashboard.conftest import Server, Visit, serving
from tests.server import demo_home
from tests.server.demo_home import METRICS, Demo

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow]

HOSTILE = '<img src=x onerror="document.title=1">\u202e"\'&amp;😈</script><script>document.title=1</script>'

MANY = tuple(f"layer{section}/weight{place}" for section in range(60) for place in range(12))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Its running runs are hostile, and can go on while a page looks."""
    made = demo_home.make(tmp_path_factory.mktemp("charts") / "home")
    playing = made.running[0]
    now = time.time_ns()
    playing.host.event(Output(time_ns=now, text=f"\x1b[31m{HOSTILE}\x1b[0m\nafter\rbefore\x07\n{'x' * 100_000}\n"))
    playing.main.event(
        Media(time_ns=now, key=HOSTILE, step=1, kind="text", mime="text/plain", data=HOSTILE.encode(), meta={})
    )
    playing.main.event(
        Media(time_ns=now, key="cloud", step=1, kind="points", mime="model/ply", data=b"ply\n" * 300, meta={})
    )
    playing.main.append(playing.main.declare((f"evil/{HOSTILE}",)).encode(3, now, [1.5]))
    many = made.running[1]
    many.main.append(many.main.declare(MANY).encode(3, now, [0.5] * len(MANY)))
    made.client.rename(playing.spec.id, HOSTILE)
    made.client.tag(playing.spec.id, add=[HOSTILE])
    made.client.index.catch_up()
    yield made
    made.close()


@pytest.fixture(scope="module")
def server(demo: Demo) -> Iterator[Server]:
    with serving(demo.path) as server:
        yield server


def _ids(demo: Demo, *places: int) -> list[str]:
    return [demo.ids["COMPLETED"][place] for place in places]


def _open(visit: Visit, server: Server, ids: list[str], tab: str = "charts", more: str = "") -> "Page":
    chosen = "+".join(f"{run}~{colour}" for colour, run in enumerate(ids))
    visit.page.goto(f"{server.address}#/p/weld-seam?sel={chosen}&tab={tab}{more}")
    visit.page.wait_for_selector(".live.on")
    return visit.page


def _until(page: "Page", expression: str, arg: object = None) -> Any:
    """The first true value of it. Waits in here, since a page with a content policy evaluates no text."""
    until = time.monotonic() + 60
    while not (found := page.evaluate(expression, arg)):
        assert time.monotonic() < until, expression
        page.wait_for_timeout(50)
    return found


# How many pixels of a card's curves have the colour of a token; anti-aliased borders are left out.
COLOURED = """([metric, token]) => {
  const cards = [...document.querySelectorAll(".chart-card")];
  const canvas = cards.find((card) => card.dataset.metric === metric)?.querySelector(".plot-canvas");
  if (!canvas || !canvas.width) return 0;
  const hex = getComputedStyle(document.documentElement).getPropertyValue(token).trim();
  const wanted = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const pen = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
  pen.drawImage(canvas, 0, 0);
  const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
  let found = 0;
  for (let i = 0; i < data.length; i += 4) {
    const off = wanted.reduce((sum, part, k) => sum + Math.abs(data[i + k] - part), 0);
    if (data[i + 3] > 200 && off < 12) found += 1;
  }
  return found;
}"""


def _plot(page: "Page", metric: str) -> dict[str, float]:
    page.wait_for_selector(f'.chart-card[data-metric="{metric}"] .u-over')
    box = page.locator(f'.chart-card[data-metric="{metric}"] .u-over').bounding_box()
    assert box
    return {"x": box["x"], "y": box["y"], "width": box["width"], "height": box["height"]}


def _series_requests(page: "Page") -> list[dict[str, Any]]:
    asked: list[dict[str, Any]] = []
    page.on("request", lambda r: asked.append(json.loads(r.post_data or "{}")) if r.url.endswith("/series") else None)
    return asked


def test_selected_rows_are_curves_in_their_colours(demo: Demo, server: Server, visit: Visit) -> None:
    page = _open(visit, server, _ids(demo, 0, 5))

    _until(page, COLOURED, ["train/loss", "--c1"])
    _until(page, COLOURED, ["train/loss", "--c2"])
    assert page.evaluate(COLOURED, ["train/loss", "--c3"]) == 0

    page.locator(".rows .row.run .pick").nth(8).click()
    _until(page, COLOURED, ["train/loss", "--c3"])
    page.evaluate("() => { document.documentElement.dataset.theme = 'dark'; }")
    _until(page, COLOURED, ["train/loss", "--c1"])


def test_all_cards_on_the_screen_are_one_request_and_the_others_none(demo: Demo, server: Server, visit: Visit) -> None:
    asked = _series_requests(visit.page)
    page = _open(visit, server, _ids(demo, 0, 1, 2))
    _until(page, COLOURED, ["val/accuracy", "--c1"])

    assert len(asked) == 1
    assert len(asked[0]["runs"]) == 3
    assert {"train/loss", "val/accuracy"} <= set(asked[0]["keys"])
    assert "sys/gpu0/temperature_c" not in asked[0]["keys"]

    page.locator(".panel-charts").evaluate("(panel) => { panel.scrollTop = panel.scrollHeight; }")
    _until(page, COLOURED, ["sys/memory_used_bytes", "--c1"])
    assert "train/loss" not in asked[-1]["keys"]


def test_the_pointer_lights_the_same_run_and_step_everywhere(demo: Demo, server: Server, visit: Visit) -> None:
    page = _open(visit, server, _ids(demo, 0, 5))
    _until(page, COLOURED, ["val/accuracy", "--c1"])
    box = _plot(page, "train/accuracy")

    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.15)
    page.mouse.move(box["x"] + box["width"] * 0.5 + 2, box["y"] + box["height"] * 0.15)
    remark = _until(page, "() => document.querySelector('[data-metric=\"train/accuracy\"] .card-remark').textContent")

    step = remark.partition("step ")[2]
    others = page.locator(".chart-card .card-remark").all_text_contents()
    assert step
    assert sum(f"step {step}" in text for text in others) >= 4
    assert page.locator(".chart-tip .is-lit").count() == 1
    assert page.locator('[data-metric="val/loss"] .plot-canvas.is-dim').count() == 1
    page.mouse.move(5, 5)
    _until(page, "() => !document.querySelector('.plot-canvas.is-dim') && !document.querySelector('.chart-tip')")


def test_dragging_asks_for_that_part_and_a_double_click_shows_all(demo: Demo, server: Server, visit: Visit) -> None:
    asked = _series_requests(visit.page)
    page = _open(visit, server, _ids(demo, 0, 5))
    _until(page, COLOURED, ["train/loss", "--c1"])
    box = _plot(page, "train/loss")
    before = len(asked)

    page.mouse.move(box["x"] + 60, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 140, box["y"] + 60, steps=5)
    page.mouse.up()
    page.wait_for_selector('[data-metric="train/loss"] .card-reset')
    _until(page, COLOURED, ["train/loss", "--c1"])

    part = asked[before]
    assert part["keys"] == ["train/loss"]
    assert 0 < part["start"] < part["stop"] < 199
    page.mouse.dblclick(box["x"] + 100, box["y"] + 60)
    page.wait_for_selector('[data-metric="train/loss"] .card-reset', state="detached")


def test_smoothing_draws_the_raw_curve_faintly_and_stays_in_the_url(demo: Demo, server: Server, visit: Visit) -> None:
    page = _open(visit, server, _ids(demo, 0))
    _until(page, COLOURED, ["grad_norm", "--c1"])
    raw = page.evaluate(COLOURED, ["grad_norm", "--c1"])

    slider = page.get_by_label("Smoothing")
    slider.fill("0.9")
    slider.dispatch_event("change")

    _until(page, "() => location.hash.includes('smooth=0.9')")
    assert 0 < page.evaluate(COLOURED, ["grad_norm", "--c1"]) < raw


def test_a_pattern_keeps_some_metrics_and_a_pin_puts_one_on_top(demo: Demo, server: Server, visit: Visit) -> None:
    page = _open(visit, server, _ids(demo, 0))
    page.get_by_label("Metrics to show, a regular expression").fill("loss$")
    _until(page, "() => document.querySelectorAll('.chart-card').length === 2")

    card = page.locator('[data-metric="val/loss"]')
    card.hover()
    card.locator("header").hover()
    card.get_by_role("button", name="pin").click()

    _until(page, "() => document.querySelector('.section-head').textContent.includes('pinned')")
    assert page.locator(".chart-card").first.get_attribute("data-metric") == "val/loss"
    page.get_by_label("Metrics to show, a regular expression").fill("(")
    page.get_by_text("not a regular expression").wait_for()


def test_a_card_is_saved_as_numbers_and_as_a_picture(demo: Demo, server: Server, visit: Visit) -> None:
    page = _open(visit, server, _ids(demo, 0, 1))
    _until(page, COLOURED, ["train/loss", "--c2"])
    card = page.locator('[data-metric="train/loss"]')
    card.locator("header").hover()

    with page.expect_download() as numbers:
        card.get_by_role("button", name="csv").click()
    with page.expect_download() as picture:
        card.get_by_role("button", name="png").click()

    lines = numbers.value.path().read_text().splitlines()
    assert lines[0] == "run,name,step,value,min,max"
    assert len(lines) == 401
    assert picture.value.path().read_bytes().startswith(b"\x89PNG")


def test_groups_are_a_mean_with_a_band(demo: Demo, server: Server, visit: Visit) -> None:
    visit.page.goto(f"{server.address}#/p/weld-seam?group=all-but-seed")
    page = visit.page
    page.wait_for_selector(".live.on")

    page.wait_for_selector('[data-metric="train/loss"] .u-over')
    _until(page, "() => document.querySelector('.card-remark').textContent.includes('mean ± std, n = 3')")
    page.get_by_label("How groups are drawn").select_option("range")
    _until(page, "() => document.querySelector('.card-remark').textContent.includes('min–max')")


def test_a_running_run_grows_by_its_tail_alone(demo: Demo, server: Server, visit: Visit) -> None:
    playing = demo.running[1]
    asked = _series_requests(visit.page)
    page = visit.page
    page.goto(f"{server.address}#/p/paint-check?sel={playing.spec.id}~0&re=train")
    page.wait_for_selector(".live.on")
    _until(page, COLOURED, ["train/loss", "--c1"])
    known = len(asked)

    schema = playing.main.declare(METRICS)
    for step in range(playing.step, playing.step + 20):
        playing.main.append(schema.encode(step, time.time_ns(), [5.0] * len(METRICS)))

    until = time.monotonic() + 60
    while len(asked) == known:
        assert time.monotonic() < until
        page.wait_for_timeout(50)
    assert asked[known]["start"] == playing.step - 1
    page.wait_for_timeout(300)
    box = _plot(page, "train/loss")
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 20)
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 12)
    page.get_by_text(f"5 · step {playing.step + 19}").first.wait_for()


def test_the_diff_shows_only_what_differs(demo: Demo, server: Server, visit: Visit) -> None:
    page = _open(visit, server, _ids(demo, 0, 1), tab="diff")
    page.wait_for_selector(".diff-value")
    _until(page, "() => document.querySelectorAll('.diff-section')[1].textContent.includes('train/loss')")

    config = page.locator(".diff-section").first.locator(".diff-key").all_text_contents()
    assert config == ["seed"]
    page.get_by_label("hide what is equal").uncheck()
    page.get_by_text("momentum").first.wait_for()
    page.locator(".diff-run").nth(1).click()
    _until(page, "() => document.querySelector('.diff-run small') && location.hash.includes('base=')")
    page = _open(visit, server, [demo.ids["COMPLETED"][0], demo.ids["FAILED"][0]], tab="diff")
    removed = page.locator(".diff-text .is-old", has_text="accuracy").first
    assert removed.inner_text().endswith("accuracy 0.567")  # and no codes of its colour


# What an axis of settings with these values is marked with.
TICKS = """async (values) => {
  const { axisOf } = await import("/charts/axes.js");
  return axisOf("lr", values).ticks.map((tick) => tick.text).join(" ");
}"""


def test_other_panels_say_what_they_know(demo: Demo, server: Server, visit: Visit) -> None:
    page = _open(visit, server, _ids(demo, 0, 1))
    page.get_by_role("tab", name="Overview").click()
    page.locator(".facts").get_by_text("NVIDIA RTX A5000").wait_for()
    page.get_by_role("tab", name="Media").click()
    page.locator(".matrix").first.wait_for()
    page.locator(".medium img").first.wait_for()
    page.get_by_role("tab", name="System").click()
    _until(page, COLOURED, ["val/accuracy", "--c1"])
    page.get_by_role("tab", name="Parameters").click()
    page.get_by_role("heading", name="What val/accuracy goes with").wait_for()
    lrs = [0.0001, 0.0003, 0.001, 0.002, 0.004, 0.008, 0.02, 0.05, 0.1]
    assert page.evaluate(TICKS, lrs) == "0.0001 0.001 0.01 0.1"
    assert page.evaluate(TICKS, [0.513, 0.55, 0.6, 0.61, 0.7, 0.75, 0.8, 0.9, 0.94]) == "0.6 0.8"
    page.get_by_role("tab", name="Grid").click()
    page.locator(".grid-value").first.click()
    assert page.get_by_label("across").input_value() == "optim.lr"  # it has the most values
    _until(page, "() => document.querySelectorAll('.grid-cell.is-selected').length === 1")


def test_a_brush_is_a_filter_of_the_table(demo: Demo, server: Server, visit: Visit) -> None:
    page = _open(visit, server, _ids(demo, 0), tab="parameters")
    page.get_by_label("Parallel coordinates of 36 runs", exact=False).wait_for()
    box = page.locator(".parallel").bounding_box()
    assert box

    x = box["x"] + box["width"] - 58
    page.mouse.move(x, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(x, box["y"] + 110, steps=6)
    page.mouse.up()

    _until(page, "() => decodeURIComponent(location.hash).includes('val/accuracy')")
    page.get_by_role("button", name="clear brushes").click()
    _until(page, "() => !location.hash.includes('q=')")


def test_hostile_text_is_only_text(demo: Demo, server: Server, visit: Visit) -> None:
    playing = demo.running[0]
    page = visit.page
    page.goto(f"{server.address}#/p/paint-check?sel={playing.spec.id}~0&tab=output")
    page.wait_for_selector(".live.on")

    red = page.locator(".output-line .ansi-1")
    red.wait_for()
    assert red.text_content() == HOSTILE
    page.get_by_text("before␇").wait_for()
    page.get_by_text("more characters").wait_for()
    page.get_by_label("Search the output").fill("ONERROR")
    page.get_by_text("1 of 1 lines").wait_for()
    for tab in ("Charts", "Overview", "Media", "System", "Grid", "Parameters"):
        page.get_by_role("tab", name=tab).click()
        page.wait_for_timeout(300)
    page.get_by_role("tab", name="Media").click()
    page.get_by_text("document.title=1", exact=False).first.wait_for()
    with page.expect_download() as saved:
        page.locator(".media-section", has_text="cloud").get_by_role("link", name="Save it").click()

    assert saved.value.suggested_filename.startswith("cloud-1")
    assert page.title() != "1"
    assert page.locator("img[src=x]").count() == 0


def test_all_of_very_many_metrics_are_found_though_a_page_begins_with_few(
    demo: Demo, server: Server, visit: Visit
) -> None:
    page = visit.page
    page.goto(f"{server.address}#/p/paint-check?sel={demo.running[1].spec.id}~0")
    page.wait_for_selector(".chart-card .u-over")
    assert page.locator(".chart-section").count() < 60

    _until(
        page,
        """() => {
            const panel = document.querySelector(".panel-charts");
            panel.scrollTop = panel.scrollHeight;
            return document.querySelector('[data-metric="layer59/weight11"] .u-over');
        }""",
    )
    page.keyboard.press("/")
    page.keyboard.type('metric["layer59/weight11')
    page.get_by_role("option", name="layer59/weight11").wait_for()
    page.get_by_label("Filter the runs").fill("")
    page.get_by_role("button", name="columns").click()
    page.get_by_label("Find a column").fill("layer59/weight11")
    page.locator(".columns-menu").get_by_title("layer59/weight11", exact=True).wait_for()


def test_charts_leave_nothing_behind(demo: Demo, server: Server, visit: Visit) -> None:
    page = _open(visit, server, _ids(demo, 0, 1))
    for _ in range(3):
        page.wait_for_selector('[data-metric="train/loss"] .u-over')
        page.get_by_role("tab", name="Diff").click()
        page.wait_for_selector(".diff-value")
        assert page.locator(".uplot").count() == 0
        page.get_by_role("tab", name="Charts").click()
    page.wait_for_selector('[data-metric="train/loss"] .u-over')
    assert page.locator('[data-metric="train/loss"] .uplot').count() == 1
