"""What a project's own tests call. These names never change: tests of a project are not updated with its template."""

from runyard.testing.rehearsal import Rehearsal, rehearse

__all__ = ["Rehearsal", "rehearse"]
