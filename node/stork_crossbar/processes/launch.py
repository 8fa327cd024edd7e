"""Runs a node in this process: Crossbar, with Stork node's personality and a private runtime directory."""

import os
import sys
from pathlib import Path

from stork_crossbar.internals.crossbar_check import refuse_other_versions
from stork_crossbar.internals.deferred_imports import deferred
from stork_crossbar.internals.reactor_time import install_steady_time
from stork_node.launcher.temporary import PrivateFolder
from stork_node.logs.log_lines import LogSettings
from stork_node.logs.process_log import flush_log, log_to_stderr


def run_node(folder: Path) -> int:
    """
    Run the node that ``folder``/config.json describes until it is stopped.

    Returns:
        0 when it was stopped as asked, 1 when it failed.

    Raises:
        ConfigError: its runtime directory cannot be made, or the installed Crossbar is not as expected.
    """
    from autobahn.twisted.choosereactor import install_reactor

    # Before any import of Crossbar, which would install Twisted's default reactor.
    reactor = install_reactor(explicit_reactor=None, verbose=False, require_optimal_reactor=False)
    install_steady_time(reactor)
    with deferred():
        import crossbar.edge.worker.router  # noqa: F401  # which a realm, and the controller's is one, imports late
        from crossbar.node.main import main

        refuse_other_versions()
        from stork_crossbar.personality import Personality

    # Crossbar writes pid, keys and sockets there. A process that can reach the Unix socket is a backend.
    private = PrivateFolder()
    runtime = private.path
    config = str(folder.resolve() / "config.json")
    arguments = ["start", "--cbdir", str(runtime), "--config", config, "--loglevel", "error", "--logformat", "none"]
    # Workers get the current folder on their module search path. Modules where stork was started are not for them.
    os.chdir(runtime)
    # The node's own lines go to standard error. Crossbar also writes to standard output, for example an empty line in
    # place of its banner.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    # Before Crossbar keeps its own stream to standard error, which would wait for a reader.
    log_to_stderr("node", LogSettings.read(os.environ), at_least="warn")
    try:
        main("stork", arguments, reactor, Personality)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    finally:
        sys.stdout.flush()
        flush_log()
        private.remove()
    return 0
