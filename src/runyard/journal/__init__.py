"""The append-only record of an attempt: format, writer, reader, repair. NumPy is needed for reading only."""

from runyard.journal.home import EDITS, HOST, MAIN, Attempt, Home, RunFolder, machine_file
from runyard.journal.writer import EncodedJournal, JournalWriter, Schema, append_event, is_untouched

__all__ = [
    "EDITS",
    "HOST",
    "MAIN",
    "Attempt",
    "EncodedJournal",
    "Home",
    "JournalWriter",
    "RunFolder",
    "Schema",
    "append_event",
    "is_untouched",
    "machine_file",
]
