"""Things to look at: each becomes one Media event. Nothing here is imported before it is first used."""
