"""
The publish server: takes pushes, numbers and stores them, publishes them on the bus, and answers (docs/delivery.md).

    PULL 5555, ROUTER 5557 → requests → intake (ids, log) → PUB 5556, answers
    ROUTER 5558            → replaying ← log              → pages
"""

import logging
import signal
from collections.abc import Sequence
from types import FrameType

from stork_node.errors import ConfigError
from stork_node.publish_server.server import PublishServer
from stork_node.publish_server.settings import PublishServerSettings
from stork_node.push_log import DamagedLog
from stork_node.webhooks.forms import Form

__all__ = ["PublishServer", "PublishServerSettings", "run"]

log = logging.getLogger("stork_node.publish_server")


def run(settings: PublishServerSettings, webhooks: Sequence[Form] = ()) -> int:
    """
    Serve until SIGTERM or SIGINT; in the main thread. Logs to stderr if logging is not set up.

    Returns:
        The exit status: 0 stopped as asked, 1 failed while running or a damaged log, 2 an endpoint that cannot be bound
        or a log that cannot be had.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        server = PublishServer(settings, webhooks=webhooks)
    except ConfigError as error:
        log.error("%s", error)
        return 2
    except DamagedLog as error:
        log.error("%s", error)
        return 1

    def stop(_number: int, _frame: FrameType | None) -> None:
        server.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        server.serve()
    except Exception:
        log.exception("publish server failed")
        return 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0
