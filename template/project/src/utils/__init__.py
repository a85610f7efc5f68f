"""Small things that several modules of this project share and that have no better place."""
