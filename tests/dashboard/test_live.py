"""Runs that run while somebody looks: the page follows a real training, and stops it."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.dashboard.conftest import Server, Visit
from tests.server import demo_home
from tests.server.demo_home import Demo

pytestmark = [pytest.mark.slow]

RUN_PY = "from runyard.runner import main\n\nraise SystemExit(main(__file__))\n"
CONFIG_PY = """from runyard import Config

class TrainConfig(Config):
    lr: float = 0.1

DEFAULT = TrainConfig()
"""
# A step begins as soon as the test has put its file there; it ends when somebody stops it.
TRAIN_PY = """import os
import time

def train(config, run):
    for step in run.progress(range(10)):
        while not os.path.exists(f"go-{step}"):
            time.sleep(0.02)
        run.log(loss=1 / (step + 1), step=step)
        print("step", step, "done", flush=True)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "live"
    (folder / "src").mkdir(parents=True)
    (folder / "run.py").write_text(RUN_PY)
    (folder / "src" / "config.py").write_text(CONFIG_PY)
    (folder / "src" / "train.py").write_text(TRAIN_PY)
    (folder / "runyard.toml").write_text('name = "live"\n')
    return folder


@pytest.fixture
def training(project: Path, tmp_path: Path) -> "Iterator[subprocess.Popen[bytes]]":
    source = str(Path(__file__).parents[2] / "src")
    changed = {
        "RUNYARD_HOME": str(tmp_path / "home"),
        "PYTHONPATH": source,
        "RUNYARD_LOCK_DIR": str(tmp_path / "locks"),
    }
    with (tmp_path / "training.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "run.py", "train"], cwd=project, env=os.environ | changed, stdout=log, stderr=log
        )
    yield process
    process.terminate()
    process.wait(60)


def test_a_real_run_moves_on_the_page_and_is_stopped_there(
    training: "subprocess.Popen[bytes]", project: Path, tmp_path: Path, serve: Callable[..., Server], visit: Visit
) -> None:
    server = serve(tmp_path / "home")
    page = visit.page
    page.goto(server.address)
    page.wait_for_selector(".live.on")
    page.locator(".row.run .state.running").wait_for(timeout=60_000)
    for step in range(5):
        (project / f"go-{step}").touch()
        page.locator(".row.run .cell", has_text=re.compile(rf"^{1 / (step + 1):.4g}")).first.wait_for(timeout=30_000)
    page.locator('.chart-card[data-metric="loss"] .u-over').wait_for()
    page.get_by_role("tab", name="Output").click()
    page.get_by_text("step 4 done").wait_for()
    if page.locator(".row.selected").count() == 0:
        page.locator(".row.run .name").first.click()

    page.get_by_role("toolbar", name="Selected runs").get_by_role("button", name="Stop").click()

    page.locator(".row.run .state", has_text="stopped").wait_for(timeout=60_000)
    assert training.wait(60) != 0
    assert page.evaluate("performance.getEntriesByType('navigation').length") == 1


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    made = demo_home.make(tmp_path_factory.mktemp("live") / "home")
    yield made
    made.close()


def test_a_lit_row_and_a_lit_curve_are_the_same_run(demo: Demo, serve: Callable[..., Server], visit: Visit) -> None:
    server = serve(demo.path)
    page = visit.page
    ids = demo.ids["COMPLETED"][:2]
    page.goto(f"{server.address}#/p/weld-seam?sel={'+'.join(f'{run}~{i}' for i, run in enumerate(ids))}")
    page.wait_for_selector('.chart-card[data-metric="train/loss"] .u-over')
    row = page.locator(".row.selected").first
    row.hover()
    page.wait_for_selector(".plot-canvas.is-dim")
    name = row.locator(".name").inner_text()

    box = page.locator('.chart-card[data-metric="val/accuracy"] .u-over').bounding_box()
    assert box is not None
    lit = ""
    for share in range(1, 20):
        page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * share / 20)
        page.wait_for_timeout(60)
        if page.locator(".row.lit").count():
            lit = page.locator(".row.lit .name").first.inner_text()
            break

    assert lit
    assert page.locator(".chart-tip .is-lit").inner_text().startswith(lit) or lit == name
