"""A command of a project as a run: `runyard ci run` queues it, and a worker executes it like a training."""
