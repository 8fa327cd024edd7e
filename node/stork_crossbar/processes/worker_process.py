"""
A worker process of a node: Crossbar's own main, after imports that are made here first.

The controller runs this in place of ``python -m crossbar.worker.main``, with the same arguments.
"""

import argparse
import os
import runpy

from stork_crossbar.internals.deferred_imports import deferred
from stork_crossbar.internals.reactor_time import install_steady_time
from stork_node.launcher.child_process import lead_group


def main() -> None:
    from autobahn.twisted.choosereactor import install_reactor

    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--reactor")
    parser.add_argument("--klass", default="")
    options, _ = parser.parse_known_args()
    if options.klass.endswith(".ContainerController"):
        # Programs that the application starts are in its group as well, and end with it.
        lead_group()
    # As in Crossbar's main, and before Crossbar could install Twisted's default reactor.
    reactor = install_reactor(explicit_reactor=options.reactor or os.environ.get("CROSSBAR_REACTOR"))
    install_steady_time(reactor)
    with deferred():
        from stork_crossbar.personality.logs import replace_crossbars_observer

        if options.klass.endswith(".RouterController"):
            import crossbar.edge.worker.router  # noqa: F401  # which a realm imports when it starts
    replace_crossbars_observer()
    runpy.run_module("crossbar.worker.main", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
