"""
Crossbar as Stork node runs it: a personality, with its own node, worker and session classes.

Crossbar's workers import the personality by name, and the reactor must be chosen before Crossbar is imported: import
this package only in a process that ``launch.run_node`` or Crossbar itself started.
"""

import crossbar

# Without it, every worker prints a traceback of NumPy's at its start.
crossbar._import_serializers_quietly()

from crossbar import personality as standalone  # noqa: E402  # after the line above, by need

from stork_crossbar.personality.node import Node  # noqa: E402
from stork_crossbar.personality.workers import (  # noqa: E402
    ContainerController,
    ContainerProcess,
    RouterController,
    RouterProcess,
)

_workers = standalone.default_native_workers()
_workers["router"] |= {"class": RouterProcess, "worker_class": RouterController}
_workers["container"] |= {"class": ContainerProcess, "worker_class": ContainerController}


class Personality(standalone.Personality):
    NAME = "stork"
    TITLE = "Stork node"
    BANNER = ""
    Node = Node
    native_workers = _workers


__all__ = ["Personality"]
