"""Callbacks that log for you, one file a framework; each is imported by name, and imports its framework."""
