"""`runyard demo check`: a demo that works alone passes, and one that calls home is found out."""

import json
from pathlib import Path

import pytest

from tests.apps import showroom
from tests.cli.builders import runyard

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
pytest.importorskip("streamlit", reason="needs Streamlit: pip install streamlit")

LEAK = """
import socket

try:
    socket.create_connection(("192.0.2.1", 443), timeout=0.1)
except OSError:
    pass
"""


def test_a_page_that_calls_home_is_found_out_and_a_broken_one_told_with_its_reason(tmp_path: Path) -> None:
    broken = showroom.EXPLORE.replace('unit="€ per 1000 parts"', 'unit="€ per 1000 parts", positive="scratch"')
    demo = showroom.build(tmp_path / "demo", explore=LEAK + broken)

    done = runyard(tmp_path, "demo", "check", str(demo), "--json")

    found = json.loads(done.stdout)
    assert done.returncode == 1
    problems = {page["page"]: page["problem"] for page in found["pages"]}
    assert "'scratch' is no class" in problems.pop("threshold").replace("\\", "")
    assert "'scratch' is no class" in problems.pop("report").replace("\\", "")
    assert problems == dict.fromkeys(("try", "errors", "compare", "server"), "")
    assert found["outside"] == ["192.0.2.1:443"]
