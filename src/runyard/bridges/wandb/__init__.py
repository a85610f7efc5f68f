"""Weights & Biases: run files (`run-….wandb`) become runs, without the package `wandb` and without protobuf.

`framing.py` cuts a file into records, `messages.py` knows what records hold, `folders.py` finds files and gathers what
they say of a run, `values.py` is their values in ours; `importing.py` brings it all.
"""
