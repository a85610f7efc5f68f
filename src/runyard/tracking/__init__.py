"""What training code holds: `Run` and its friends. It writes a journal and nothing else."""

from runyard.tracking.run import Run, current_run
from runyard.tracking.start import start_run

__all__ = ["Run", "current_run", "start_run"]
