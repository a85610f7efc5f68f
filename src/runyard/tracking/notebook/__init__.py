"""Runs that are started in a notebook: a chart that grows while a cell runs, and a true end however the kernel ends.

Loaded only where IPython runs already; outside of notebooks none of it costs anything.
"""

from runyard.tracking.notebook.cells import cells_of
from runyard.tracking.notebook.pages import page_of
from runyard.tracking.notebook.run import NotebookRun

__all__ = ["NotebookRun", "cells_of", "page_of"]
