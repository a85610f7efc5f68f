"""Care of a home: copies of it, the way back, and whether everything in it is as it must be."""

from runyard.client.care.backup import Backup, backup
from runyard.client.care.restoring import Restored, restore
from runyard.client.care.verifying import Kind, Problem, Verified, verify

__all__ = ["Backup", "Kind", "Problem", "Restored", "Verified", "backup", "restore", "verify"]
