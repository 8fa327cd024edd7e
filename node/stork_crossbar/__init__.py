"""All code that uses the internals of Crossbar, autobahn and Twisted."""

import sys

# autobahn needs bjdata, though no client is offered UBJSON. Its extension may be compiled for another NumPy than the
# installed one, and then prints a traceback at each start. Without the extension, bjdata works in plain Python.
sys.modules.setdefault("_bjdata", None)  # type: ignore[arg-type]  # None: not there, as the import system has it
