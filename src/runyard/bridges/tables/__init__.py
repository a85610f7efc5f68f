"""Tables in and out: CSV, JSON Lines and Parquet, of runs and of the points of their series.

`cells.py` says how a value stands in a CSV file, `columns.py` what a run's columns are called; `exporting.py` streams
runs into the formats of `writing.py`; `reading.py` opens files, `guessing.py` says what their columns mean, and
`importing.py` brings what they hold.
"""
