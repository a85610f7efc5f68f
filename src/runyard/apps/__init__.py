"""What a customer sees: a page to try and to decide with, a report in one file, a folder that runs anywhere."""
