"""The commands of `runyard` under their headings: options and help, nothing else."""
