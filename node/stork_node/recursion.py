"""How deep Python's functions may call each other."""

import sys

# Python's own. Something that Crossbar imports (py_ecc) sets 100,000, more than a thread's stack holds: what should be
# a RecursionError, of a parser in C, is the end of the process then.
_LIMIT = 1_000


def limit_recursion() -> None:
    """Have what is nested too deep raise RecursionError again; to be called after Crossbar has been imported."""
    sys.setrecursionlimit(_LIMIT)
