"""
Import all that the processes of a node import, and compile it for good: python loaded.py

A module that prune.py should have left is missed here, and fails the build. Whoever runs the image cannot write to it,
so what is not compiled here is compiled at each start; Python's own library comes without, in Docker's images.
"""

import importlib
import py_compile
import sys
from importlib.util import cache_from_source
from pathlib import Path

PROCESSES = (
    "autobahn.twisted.choosereactor",
    "crossbar.node.main",  # the controller
    "crossbar.personality",
    "crossbar.worker.main",  # its workers
    "crossbar.worker.router",
    "crossbar.worker.container",
    "click",  # the command line
    "rich.console",
    "rich.progress",
    "msgspec.json",
    "prometheus_client",
    "websockets.sync.client",
    "zmq.asyncio",
)
SERIALIZERS = ("bjdata", "cbor2", "msgpack", "ubjson", "umsgpack")


def compile_loaded() -> int:
    """Compile each module in ``sys.modules`` that is not yet; returns how many that were."""
    compiled = 0
    for module in list(sys.modules.values()):
        source = getattr(getattr(module, "__spec__", None), "origin", None) or ""
        if source.endswith(".py") and not Path(cache_from_source(source)).exists():
            # By what is in the source, as its time may be another when it comes out of a layer.
            py_compile.compile(source, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
            compiled += 1
    return compiled


def main() -> None:
    sys.dont_write_bytecode = True
    for name in (*PROCESSES, *SERIALIZERS):
        importlib.import_module(name)
    print(f"loaded: {len(sys.modules)} modules, {compile_loaded()} of them compiled")


main()
