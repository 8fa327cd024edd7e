"""``python -m stork_node`` is ``stork``."""

from stork_node.cli import main

main()
