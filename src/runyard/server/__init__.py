"""HTTP: what the dashboard shows and changes, and what machines of a team deliver, as a documented API."""

from runyard.server.app import create_app
from runyard.server.running import choose_port, serve

__all__ = ["choose_port", "create_app", "serve"]
