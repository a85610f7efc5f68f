"""Where a run is seen on a dashboard, as far as that is known without asking anybody."""

from runyard.errors import RunyardError
from runyard.journal import Home
from runyard.journal.dashboards import dashboard_address


def page_of(run_id: str, home: Home) -> str | None:
    """The page of a run: at the team's server if the home is that of one, else where `runyard ui` runs now, or None."""
    try:
        address = home.server_url or dashboard_address(home)
    except (RunyardError, OSError):
        return None
    return f"{address}/#/run/{run_id}" if address else None
