"""The pages, a file each: every one is a function of a stage."""
