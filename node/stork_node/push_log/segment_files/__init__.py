"""The files of the push log: segments of records."""
