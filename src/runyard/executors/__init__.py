"""Where a supervisor is started: one file per place."""

from runyard.executors.local import LocalExecutor
from runyard.executors.protocol import Executor, Exit, Handle

__all__ = ["Executor", "Exit", "Handle", "LocalExecutor"]
