"""The command ``stork``. Importing this loads neither click nor anything of Twisted."""

import contextlib
import os
import sys

EXIT_FAILED = 1
EXIT_USAGE = 2


def main() -> None:
    """
    Run ``stork`` with ``sys.argv`` and end the process: 0 stopped as asked, 1 failed while running, 2 wrong usage or
    configuration.
    """
    _open_standard_streams()
    try:
        from stork_node.cli.group import run
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in ("click", "rich"):
            raise
        sys.exit(needs_the_node_extra(f"the command stork needs {missing.name}"))
    sys.exit(run(sys.argv[1:]))


def _open_standard_streams() -> None:
    """
    Open the standard streams that are closed, as some daemon wrappers do.

    Otherwise a socket would get their number, and with it all printed text.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            with contextlib.suppress(OSError):
                os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # has the lowest number that is free
        if getattr(sys, name) is None:
            stream = os.fdopen(number, "r" if number == 0 else "w", closefd=False)
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


def needs_the_node_extra(what: str) -> int:
    """Print on stderr which packages are missing; returns the exit status."""
    print(f"stork: {what}, which only the node brings: pip install 'stork-node[node]'", file=sys.stderr)
    return EXIT_USAGE
