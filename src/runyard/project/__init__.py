"""A project on disk: its settings, its modules, snapshots of its code, and how a new one is made.

Import from the modules: every training process loads one of them, `child`, and none of the others.
"""
