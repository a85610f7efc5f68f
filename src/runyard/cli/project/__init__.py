"""The commands of run.py: train, infer, queue, work, config, test, ui."""
