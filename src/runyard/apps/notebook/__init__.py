"""A notebook about runs: its cells, its two formats on disk, and a kernel that executes it once."""

from runyard.apps.notebook.cells import Cell, Subject, cells_about
from runyard.apps.notebook.executing import execute
from runyard.apps.notebook.formats import as_ipynb, as_percent

__all__ = ["Cell", "Subject", "as_ipynb", "as_percent", "cells_about", "execute"]
