"""Configs, sweeps and plans in a notebook."""

import re

from runyard import Config, expand, grid, sample, uniform
from runyard.config.views import diff_configs

HOSTILE = "<script>alert(1)</script>"


class Optim(Config):
    lr: float = 0.1
    kind: str = HOSTILE


class Settings(Config):
    optim: Optim = Optim()
    seed: int = 0


def cells(html: str) -> list[str]:
    return re.findall(r"<t[dh] [^>]*>(.*?)</t[dh]>", html)


def test_a_config_shows_its_dotted_keys_and_values() -> None:
    html = Settings()._repr_html_()

    assert cells(html) == ["optim.lr", "0.1", "optim.kind", "&lt;script&gt;alert(1)&lt;/script&gt;", "seed", "0"]


def test_a_plan_shows_how_many_runs_it_has_and_what_they_set() -> None:
    plan = expand(Settings(), grid({"optim.lr": [0.1, 0.2], "seed": [0, 1]}))

    html = plan._repr_html_()

    assert "4 runs in 2 groups" in html
    assert cells(html)[:8] == ["name", "id", "optim.lr", "seed", "lr=0.1/s0", plan[0].id, "0.1", "0"]
    assert cells(plan[3]._repr_html_()) == ["changed setting", "value", "optim.lr", "0.2", "seed", "1"]


def test_a_large_plan_is_small() -> None:
    plan = expand(Settings(), grid({"seed": list(range(3_000))}), yes=True)

    html = plan._repr_html_()

    assert "… and 2,980 more runs" in html
    assert len(html) < 10_000


def test_a_sweep_shows_what_it_varies() -> None:
    html = (grid({"optim.kind": [HOSTILE] * 40}) * sample(3, {"optim.lr": uniform(0, 1)}))._repr_html_()

    assert cells(html)[0] == "optim.kind"
    assert "optim.lr" in html
    assert "<script>" not in html
    assert len(html) < 3_000


def test_a_diff_shows_the_keys_that_differ() -> None:
    html = diff_configs([Settings(), Settings(seed=3)])._repr_html_()

    assert "1 of 3 keys differ" in html
    assert cells(html) == ["seed", "0", "3"]
