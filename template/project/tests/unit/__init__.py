"""Quick tests of single parts."""
