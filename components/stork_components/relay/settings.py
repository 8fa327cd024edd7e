"""``extra`` of the relay."""

from dataclasses import dataclass

from stork_node.config.settings import endpoints, interval, seconds, setting, text
from stork_node.relay.history_settings import HistorySettings, histories
from stork_node.transport.endpoints import Port, local_endpoint


@dataclass(frozen=True)
class RelaySettings:
    """
    ``bus`` and ``replay`` are the publish server's PUB and ROUTER endpoints, or those of several that share an engine;
    ``secret`` STORK_BUS_SECRET or empty.
    ``history`` says how much is kept for recovery (see ``history_settings``), ``beat_s`` how often clients get the
    node's position. The node opens its ports when it has caught up with the publish server, or after ``first_frame_s``
    without any sign of it. A break closes its connections within ``break_spread_s``.
    """

    bus: tuple[str, ...] = setting(endpoints, (local_endpoint(Port.PUB),))
    replay: tuple[str, ...] = setting(endpoints, (local_endpoint(Port.REPLAY),))
    secret: str = setting(text, "")
    first_frame_s: float = setting(seconds, 3.0)
    beat_s: float = setting(interval, 20.0)
    break_spread_s: float = setting(seconds, 30.0)
    history: HistorySettings = setting(histories, HistorySettings())
