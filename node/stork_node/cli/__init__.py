"""The command ``stork``. Importing this loads neither click nor anything of Twisted."""

import sys

EXIT_FAILED = 1
EXIT_USAGE = 2


def main() -> None:
    """
    Run ``stork`` with ``sys.argv`` and end the process: 0 stopped as asked, 1 failed while running, 2 wrong usage or
    configuration.
    """
    try:
        from stork_node.cli.group import run
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in ("click", "rich"):
            raise
        sys.exit(needs_the_node_extra(f"the command stork needs {missing.name}"))
    sys.exit(run(sys.argv[1:]))


def needs_the_node_extra(what: str) -> int:
    """Say on stderr which packages are missing; returns the exit status."""
    print(f"stork: {what}, which only the node brings: pip install 'stork-node[node]'", file=sys.stderr)
    return EXIT_USAGE
