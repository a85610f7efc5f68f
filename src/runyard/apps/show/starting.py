"""Starting Streamlit so that it keeps to itself: on loopback, without telemetry, without watching files."""

import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from runyard.drawing import colour
from runyard.errors import MissingExtra

HOST = "127.0.0.1"
RUN, SECOND, LANGUAGE, PACK = (f"RUNYARD_SHOW_{name}" for name in ("RUN", "COMPARE", "LANGUAGE", "PACK"))

_FLAGS = {
    "server.address": HOST,
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "server.maxUploadSize": "500",
    "server.enableCORS": "true",  # said once more, since files of settings in a folder could say otherwise
    "server.enableXsrfProtection": "true",
    "server.enableStaticServing": "false",
    "browser.gatherUsageStats": "false",
    "browser.serverAddress": HOST,
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "global.developmentMode": "false",
    "logger.level": "error",
}
_LOOKS = {
    "theme.base": "light",
    "theme.primaryColor": "accent",
    "theme.backgroundColor": "panel",
    "theme.secondaryBackgroundColor": "bg",
    "theme.textColor": "ink",
    "theme.borderColor": "line",
}


def require_streamlit() -> None:
    """Raises MissingExtra if Streamlit is not installed."""
    if importlib.util.find_spec("streamlit") is None:
        raise MissingExtra(extra="streamlit", purpose="The customer's page")


def settings() -> dict[str, str]:
    """What Streamlit is told, by the names of its options."""
    looks = {name: value if value == "light" else colour(value) for name, value in _LOOKS.items()}
    return _FLAGS | looks


def command(script: Path, port: int) -> list[str]:
    """The command line that serves a script on a port of this machine."""
    flags = [f"--{name}={value}" for name, value in settings().items()]
    return [sys.executable, "-m", "streamlit", "run", str(script), f"--server.port={port}", *flags]


def environment(root: Path, **chosen: str) -> dict[str, str]:
    """The variables of the server's process: the project is imported from `root`."""
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    return _without_own(os.environ) | {"PYTHONPATH": os.pathsep.join(paths)} | chosen


def _without_own(variables: Mapping[str, str]) -> dict[str, str]:
    """Settings of an earlier page or of the user's Streamlit do not count."""
    return {name: value for name, value in variables.items() if not name.startswith(("STREAMLIT_", "RUNYARD_SHOW_"))}
