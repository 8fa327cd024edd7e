"""The maximum depth of Python's recursion."""

import sys

# Python's own value. An import of Crossbar (py_ecc) sets 100,000, more than a thread's stack can hold. Then deep
# recursion in a C parser would end the process, in place of a RecursionError.
_LIMIT = 1_000


def limit_recursion() -> None:
    """Set the limit again, so that deep nesting raises RecursionError; to be called after the import of Crossbar."""
    sys.setrecursionlimit(_LIMIT)
