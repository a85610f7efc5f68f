"""What Streamlit's AppTest leaves behind, put back."""

import sys

import pytest


@pytest.fixture(autouse=True)
def _main_stays_the_main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """An app that is tested takes the place of `__main__`; processes that are spawned later would import it."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
