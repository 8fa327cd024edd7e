"""Limits of presence; this loads nothing else."""

MOST_CHANGES = 2_000
"""Users in one batch, counted once for each topic."""
MOST_AUTHID_CHARACTERS = 255
"""A user with a longer name is not reported."""
MAX_INFO_BYTES = 4_096
"""JSON of what an application says of a user."""
MOST_ABSENCES = 500
LONGEST_ABSENCE_S = 3_600.0
